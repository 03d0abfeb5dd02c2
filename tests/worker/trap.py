"""A real listener on the loopback that nothing may ever reach, and the network seen by whoever connects."""

import contextlib
import socket
import threading

import httpcore2


class Trap:
    """Takes every TCP connection to its port on 127.0.0.1, and on ::1 where there is one; `accepted` counts them."""

    def __init__(self) -> None:
        self.accepted = 0
        self._listeners = [socket.create_server(("127.0.0.1", 0))]
        self.port = self._listeners[0].getsockname()[1]
        with contextlib.suppress(OSError):  # a machine without IPv6
            self._listeners.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for listener in self._listeners:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def __enter__(self) -> "Trap":
        return self

    def __exit__(self, *_: object) -> None:
        for listener in self._listeners:
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.accepted += 1
            connection.close()


class CountedNetwork(httpcore2.AsyncNetworkBackend):
    """Real connections inside this machine, each one noted; `detours` leads a public address to a local server.

    Connections that would leave the machine are noted and refused.
    """

    def __init__(self, detours: dict[str, int] | None = None) -> None:
        self.connected: list[tuple[str, int]] = []
        self._detours = detours or {}
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):  # noqa: ASYNC109
        self.connected.append((host, port))
        if host in self._detours:
            host, port = "127.0.0.1", self._detours[host]
        if host not in ("127.0.0.1", "::1"):
            raise httpcore2.ConnectError("kept inside the machine")
        return await self._inner.connect_tcp(host, port, timeout, local_address, socket_options)
