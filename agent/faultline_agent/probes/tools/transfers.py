"""libcurl's transfers on the event loop, at a third of the work that pycurl.AsyncCurlMulti does for them.

All sockets are in one epoll set of their own, and the loop watches that set alone: what became ready at
the same time is handled in one turn, and libcurl's changes of mind cost a system call and no handle of the
loop's. One timer of the loop's stands for all of libcurl's, and is only set again to wake earlier.
"""

import asyncio
import math
from select import EPOLLIN, EPOLLOUT, epoll

import pycurl

EVENTS = {
    pycurl.POLL_NONE: 0,
    pycurl.POLL_IN: EPOLLIN,
    pycurl.POLL_OUT: EPOLLOUT,
    pycurl.POLL_INOUT: EPOLLIN | EPOLLOUT,
}
"""What libcurl waits for, in epoll's terms."""

READY = {EPOLLIN: pycurl.CSELECT_IN, EPOLLOUT: pycurl.CSELECT_OUT}
BOTH = pycurl.CSELECT_IN | pycurl.CSELECT_OUT
"""What became ready, in libcurl's terms. A broken connection is both, so that whoever waits finds out."""


class Transfers:
    """Runs easy handles on the running loop (Linux only); close it with `close`."""

    def __init__(self) -> None:
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sockets = epoll()
        self._watched: set[int] = set()
        self._under_way: dict[pycurl.Curl, asyncio.Future[None]] = {}
        self._wakes_s = math.inf
        self._timer: asyncio.Handle | None = None

    def perform(self, handle: pycurl.Curl) -> asyncio.Future[None]:
        """Starts the handle's transfer; its end, or pycurl.error. RuntimeError once closed."""
        loop = self._running_loop()
        self._multi.add_handle(handle)
        ended = self._under_way[handle] = loop.create_future()
        self._drive(pycurl.SOCKET_TIMEOUT, 0)
        self._rest(loop)
        return ended

    def leave(self, handle: pycurl.Curl) -> None:
        """Ends the handle's transfer if it is under way, and tells nobody."""
        if self._under_way.pop(handle, None) is not None:
            self._multi.remove_handle(handle)

    def close(self) -> None:
        """Cancels what runs and lets go of all sockets; safe twice."""
        if self._sockets.closed:
            return
        if self._loop is not None:
            self._loop.remove_reader(self._sockets.fileno())
        if self._timer is not None:
            self._timer.cancel()
        while self._under_way:
            handle, ended = self._under_way.popitem()
            self._multi.remove_handle(handle)
            ended.cancel()
        self._multi.close()
        self._sockets.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        if self._sockets.closed:
            raise RuntimeError("the transfers are closed")
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._sockets.fileno(), self._on_ready, self._loop)
        return self._loop

    def _watch(self, what: int, socket: int, _multi: object, _data: object) -> None:
        """libcurl says what it waits for on a socket."""
        if what == pycurl.POLL_REMOVE:
            self._watched.discard(socket)
            self._sockets.unregister(socket)
        elif socket in self._watched:
            self._sockets.modify(socket, EVENTS[what])
        else:
            self._watched.add(socket)
            self._sockets.register(socket, EVENTS[what])

    def _on_ready(self, loop: asyncio.AbstractEventLoop) -> None:
        for socket, events in self._sockets.poll(0):
            self._drive(socket, READY.get(events, BOTH))
        self._rest(loop)

    def _on_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        self._timer, self._wakes_s = None, math.inf
        self._drive(pycurl.SOCKET_TIMEOUT, 0)
        self._rest(loop)

    def _drive(self, socket: int, mask: int) -> None:
        """Lets libcurl work, and ends the transfers that it has brought to an end."""
        _, running = self._multi.socket_action(socket, mask)
        if running < len(self._under_way):
            _, good, bad = self._multi.info_read()
            for handle in good:
                self._end(handle, None)
            for handle, code, said in bad:
                self._end(handle, pycurl.error(code, said))

    def _end(self, handle: pycurl.Curl, error: pycurl.error | None) -> None:
        ended = self._under_way.pop(handle)
        self._multi.remove_handle(handle)
        if ended.done():  # cancelled, and not yet told
            return
        if error is None:
            ended.set_result(None)
        else:
            ended.set_exception(error)

    def _rest(self, loop: asyncio.AbstractEventLoop) -> None:
        """Sees to it that libcurl is called when its next time-out is due."""
        after_ms = self._multi.timeout()
        if after_ms < 0 or (due_s := loop.time() + after_ms / 1000) >= self._wakes_s:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_s = due_s
        self._timer = loop.call_at(due_s, self._on_timer, loop)
