"""A link of a chosen round trip, on loopback: proxy.py PORT MILLISECONDS; prints its own port, ends with its stdin.

What is read from one side is written to the other half a round trip later, however much is on its way: a delay
costs time, but no throughput.
"""

import queue
import socket
import sys
import threading
import time


def carry(source, target, delay):
    """Reads in this thread, writes in another."""
    parcels = queue.SimpleQueue()

    def deliver():
        while True:
            due, data = parcels.get()
            pause = due - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            try:
                if not data:
                    target.shutdown(socket.SHUT_WR)
                    return
                target.sendall(data)
            except OSError:
                return

    threading.Thread(target=deliver, daemon=True).start()
    data = b"-"
    while data:
        try:
            data = source.recv(1 << 18)
        except OSError:
            data = b""
        parcels.put((time.monotonic() + delay, data))


def serve(listener, port, delay):
    while True:
        client, _ = listener.accept()
        # The way there and back of the handshake.
        time.sleep(2 * delay)
        server = socket.create_connection(("127.0.0.1", port))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for ends in ((client, server), (server, client)):
            threading.Thread(target=carry, args=(*ends, delay), daemon=True).start()


def main():
    port, milliseconds = int(sys.argv[1]), float(sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(listener, port, milliseconds / 2000), daemon=True).start()
    sys.stdin.read()


if __name__ == "__main__":
    main()
