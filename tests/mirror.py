"""A server on 127.0.0.1 in place of the servers of data sets and vectors."""

import http.server
import threading


class Mirror:
    """Serves files by their names, and keeps what was asked for.

    Args:
        answer: Callable from a file's name to its content, None where there is none; or
            one content for all.
        announced: The length to announce instead of the content's own.
    """

    def __init__(self, answer, announced=None):
        self.requested, outer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.requested.append(self.path)
                content = answer
                if callable(answer):
                    content = answer(self.path.rsplit("/", 1)[-1])
                if content is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(announced or len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}/mirror/"
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        ).start()

    def close(self):
        """Stops serving."""
        self._server.shutdown()
        self._server.server_close()
