#!/usr/bin/env bash
# aiortc raises on an offer in which one section has no codec that it knows, and so loses the sections that it could take.
#
# Versions: aiortc 1.16.0, av 18.1.0, aioice 0.13.0; Python 3.11.
# Behaviour: setRemoteDescription raises OperationError as soon as one audio or video section has no codec in common.
#   A second section that offers VP9 or AV1 alone is enough. With VP8 added to that section all is well.
# Seen:
#   opus, VP8: m=audio 9, m=video 9
#   opus, VP8, VP9: OperationError: Failed to set remote video description send parameters
#   opus, VP8, VP9+VP8: m=audio 9, m=video 9, m=video 9
#   VP8, AV1: OperationError: Failed to set remote video description send parameters
# Why a good guess is wrong: RFC 3264 and JSEP have an answerer refuse that one section by port 0, and browsers do. aiortc's
#   interface follows the browsers' method by method, so a sender expects a viewer without one picture, and gets
#   no answer at all, sound included.
# Needs Python 3 with venv, and PyPI.
# Exit: 0 as described, 1 changed, 2 something is missing.
set -euo pipefail
[ -n "${BOUNDED:-}" ] || BOUNDED=1 exec timeout --kill-after=5 180 "$0" "$@"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

cat >"$folder/requirements.txt" <<'PINS'
aiortc==1.16.0
aioice==0.13.0
av==18.1.0
cffi==2.1.1
cryptography==50.0.2
dnspython==2.9.2
google-crc32c==1.9.0
ifaddr==0.2.0
pycparser==3.12
pyee==13.0.1
pylibsrtp==1.0.0
pyOpenSSL==26.4.0
typing_extensions==4.16.0
PINS
python3 -m venv "$folder/venv" || exit 2
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$folder/requirements.txt" || exit 2

"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import sys

from aiortc import RTCPeerConnection, RTCSessionDescription


def offer(sections):
    """An offer with a section for each list of codecs."""
    lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", f"a=group:BUNDLE {' '.join(map(str, range(len(sections))))}"]
    payload_type = 96
    for mid, codecs in enumerate(sections):
        types = {payload_type + index: codec for index, codec in enumerate(codecs)}
        payload_type += len(codecs)
        kind = "audio" if "opus" in codecs[0] else "video"
        lines += [
            f"m={kind} 9 UDP/TLS/RTP/SAVPF {' '.join(map(str, types))}",
            "c=IN IP4 127.0.0.1",
            "a=rtcp-mux",
            "a=ice-ufrag:frag",
            f"a=ice-pwd:{'p' * 24}",
            f"a=fingerprint:sha-256 {':'.join(['0A'] * 32)}",
            "a=setup:actpass",
            f"a=mid:{mid}",
            "a=sendonly",
            *(f"a=rtpmap:{number} {codec}" for number, codec in types.items()),
        ]
    return "".join(f"{line}\r\n" for line in lines)


async def answered(sections):
    """The media lines of the answer up to the port, or the error."""
    connection = RTCPeerConnection()
    try:
        await connection.setRemoteDescription(RTCSessionDescription(offer(sections), "offer"))
        answer = await connection.createAnswer()
        result = [" ".join(line.split()[:2]) for line in answer.sdp.splitlines() if line.startswith("m=")]
    except Exception as error:
        result = f"{type(error).__name__}: {error}"
    finally:
        await connection.close()
    names = ", ".join("+".join(codec.split("/")[0] for codec in codecs) for codecs in sections)
    print(f"{names}: {result if isinstance(result, str) else ', '.join(result)}")
    return result


async def holds():
    opus, vp8, vp9, av1 = "opus/48000/2", "VP8/90000", "VP9/90000", "AV1/90000"
    raised = "OperationError: Failed to set remote video description send parameters"
    return (
        await answered([[opus], [vp8]]) == ["m=audio 9", "m=video 9"]
        and await answered([[opus], [vp8], [vp9]]) == raised
        and await answered([[opus], [vp8], [vp9, vp8]]) == ["m=audio 9", "m=video 9", "m=video 9"]
        and await answered([[vp8], [av1]]) == raised
    )


sys.exit(0 if asyncio.run(holds()) else "STALE: the offers are answered in another way now")
PYTHON
