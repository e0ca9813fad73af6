"""Real servers as child processes: found, started on free ports, ready before use, gone with the tests."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

READY_SECONDS = 20


class Missing(RuntimeError):
    """A server that the tests need is not installed. Tests fail rather than being left out."""

    def __init__(self, what: str, package: str) -> None:
        super().__init__(f"{what} is not installed; as root: apt-get install --no-install-recommends {package}")


def program(name: str, package: str, *folders: str) -> str:
    """The path of a program, looked for in PATH, /usr/sbin and `folders` (newest first when a glob matches several)."""
    for folder in folders:
        for path in sorted(Path("/").glob(folder.lstrip("/")), reverse=True):
            if (path / name).exists():
                return str(path / name)
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if found is None:
        raise Missing(name, package)
    return found


def free_port() -> int:
    """Below the range from which the system takes ports for outgoing connections, so that none grabs it meanwhile."""
    while True:
        port = random.randrange(15_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def own_folder(name: str, *, in_memory: bool = False) -> Path:
    """A new folder that servers running as another user can enter; the caller removes it.

    `in_memory`: on the memory file system where there is a roomy one, for stores that need not survive.
    """
    memory = Path("/dev/shm")
    roomy = in_memory and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 1_000_000_000
    folder = Path(tempfile.mkdtemp(prefix=f"vuoro-{name}-", dir=memory if roomy else None))
    folder.chmod(0o755)
    return folder


GUARD = """
read -r word
[ "$word" = stopped ] && exit
kill -s TERM "$0"; sleep 2; kill -s KILL -- "-$0"; rm -rf "$1"
"""
"""Reads from a pipe that ends when the test run dies, even by kill -9; then nothing may stay behind."""


class Server:
    """One child process, in a folder that is its own."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.name, self.folder = name, folder
        self._command, self._stop_signal = command, stop_signal
        self._as_user: dict[str, Any] = {}
        if user is not None and os.geteuid() == 0:
            self._as_user = {"user": user, "group": user, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.output"

    def start(self, ready: Callable[[], bool]) -> None:
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={"PATH": "/usr/bin:/usr/sbin:/bin:/sbin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                start_new_session=True,
                **self._as_user,
            )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", GUARD, str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        give_up = time.monotonic() + READY_SECONDS
        while not ready():
            if self._process.poll() is not None or time.monotonic() > give_up:
                self.stop()
                raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text(errors='replace')[-3000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(self._stop_signal)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
        self._dismiss_guard()

    def kill(self) -> None:
        """As when the machine loses it: no goodbye to anybody connected."""
        process, self._process = self._process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)
            self._dismiss_guard()

    def _dismiss_guard(self) -> None:
        if self._guard is not None:
            self._guard.communicate(b"stopped\n", 5)
            self._guard = None
