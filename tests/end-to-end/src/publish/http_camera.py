"""A camera of HTTP: http_camera.py PORT KIND.

KIND is one of
  live      an MPEG transport stream without an end at any address
  snapshot  one JPEG picture at any address, another each time

It says when somebody asks, and runs until its standard input closes.
"""

import http.server
import subprocess
import sys
import threading

PICTURE = "videotestsrc is-live=true pattern=ball ! video/x-raw,width=320,height=240,framerate=15/1"
LIVE = (
    f"{PICTURE} ! x264enc tune=zerolatency speed-preset=ultrafast key-int-max=15"
    " ! video/x-h264,profile=constrained-baseline ! h264parse config-interval=1"
    " ! mpegtsmux alignment=7 ! fdsink fd=1"
)
SNAPSHOT = f"{PICTURE.replace(' is-live=true', ' num-buffers=1')} ! jpegenc ! fdsink fd=1"


def launched(pipeline):
    return subprocess.Popen(["gst-launch-1.0", "-q", *pipeline.split()], stdout=subprocess.PIPE)


class Camera(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print('{"event": "asked"}', flush=True)
        self.send_response(200)
        if sys.argv[2] == "live":
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            self.stream()
        else:
            picture, _ = launched(SNAPSHOT).communicate()
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(picture)))
            self.end_headers()
            self.wfile.write(picture)

    def stream(self):
        source = launched(LIVE)
        try:
            while data := source.stdout.read1(65536):
                self.wfile.write(data)
        except OSError:
            pass
        finally:
            source.kill()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Camera)
server.daemon_threads = True
print('{"event": "serving"}', flush=True)


def end_with_input():
    sys.stdin.read()
    server.shutdown()


threading.Thread(target=end_with_input, daemon=True).start()
server.serve_forever()
