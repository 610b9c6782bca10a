"""Servers that stand between, or say what a real one never would."""

import socket
import threading


class CountingProxy:
    """Passes bytes on, and counts connections and requests."""

    def __init__(self, upstream):
        self.host, self.port = upstream.removeprefix("http://").split(":")
        self.connections = self.requests = 0
        listener = socket.create_server(("127.0.0.1", 0))
        self.addr = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=self.serve, args=(listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            client, _ = listener.accept()
            self.connections += 1
            server = socket.create_connection((self.host, int(self.port)))
            threading.Thread(target=self.pipe, args=(client, server, True), daemon=True).start()
            threading.Thread(target=self.pipe, args=(server, client, False), daemon=True).start()

    def pipe(self, source, sink, counted):
        while data := source.recv(65536):
            self.requests += counted and data.count(b" HTTP/1.1\r\n")
            sink.sendall(data)
        sink.close()


def huge_answer(size):
    """The address of a server that answers everything with a JSON text of this many bytes."""
    listener = socket.create_server(("127.0.0.1", 0))
    body = b'{"data": {"api_key": "' + b"x" * size + b'"}}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)

    def answer(client):
        try:
            client.recv(65536)
            client.sendall(head + body)
        except OSError:
            # It hangs up when it has had enough.
            pass
        client.close()

    def serve():
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}"
