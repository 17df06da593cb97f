"""clients.py ADDRESS PORT: hundreds of clients that say nothing, stop half-way, talk nonsense or without end, all at once; between
and after them /livez must be answered.
"""

import socket
import sys
import urllib.request

where = (sys.argv[1], int(sys.argv[2]))
SAYINGS = [b"", b"GET /metrics HTTP/1.1\r\nHost: s", b"\0\1\2\r\n\r\n", b"GET /livez HTTP/9.9\r\n\r\n", b"GET /" + b"x" * 1_000_000]


def lives():
    with urllib.request.urlopen("http://{}:{}/livez".format(*where), timeout=10) as answer:
        assert answer.status == 200


clients = []
for number in range(500):
    client = socket.create_connection(where, timeout=10)
    clients.append(client)
    try:
        client.sendall(SAYINGS[number % len(SAYINGS)])
    except OSError:
        # Refused in the middle of its sentence.
        pass
    if number % 50 == 0:
        lives()
lives()
