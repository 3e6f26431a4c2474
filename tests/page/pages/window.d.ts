interface Window {
  /** Those that the page has made since `keepPeerConnections`. */
  peerConnections?: RTCPeerConnection[];
}
