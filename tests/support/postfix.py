"""A Postfix of our own: brings customers' mail to the desk and takes the desk's mail to the customers.

anybody -> smtp_port:
    …@desk.test        to the desk by LMTP on `desk_lmtp_port` (a test makes the desk listen there)
    …@smtp.desk.test   to the desk by SMTP on `desk_smtp_port`
    …@customers.test   kept, read with `mailbox(name)`
    …@full.test        always deferred; …@gone.test always refused
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import os
import shutil
import subprocess
from email.message import EmailMessage
from pathlib import Path

from tests.support.processes import Server, free_port, listens, own_folder, program

MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.test
mydestination =
mynetworks = 127.0.0.0/8
local_recipient_maps =
alias_maps =
alias_database =
smtp_host_lookup = native
lmtp_host_lookup = native
smtp_dns_support_level = disabled
smtp_tls_security_level = none
smtpd_tls_security_level = none
smtpd_peername_lookup = no
smtpd_recipient_restrictions = inline:{{gone.test=reject}}, permit_mynetworks, reject
relay_domains = desk.test, smtp.desk.test, full.test
transport_maps = inline:{{
  {{ desk.test = lmtp:inet:127.0.0.1:{lmtp} }}
  {{ smtp.desk.test = smtp:[127.0.0.1]:{smtp} }}
  {{ full.test = retry:4.2.2 mailbox full }} }}
virtual_mailbox_domains = customers.test
virtual_mailbox_base = {folder}/mailboxes
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{uid}
default_transport = error:no such domain in the tests
message_size_limit = 52428800
mailbox_size_limit = 0
virtual_mailbox_limit = 0
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
transport_retry_time = 1s
destination_concurrency_failed_cohort_limit = 1000
bounce_queue_lifetime = 1m
in_flow_delay = 0
"""

NOBODY = 65534


class Postfix:
    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise RuntimeError("Postfix only starts as root: run these tests as root, in a container for instance")
        binary = program("postfix", "postfix swaks")
        self.smtp_port, self.desk_lmtp_port, self.desk_smtp_port = free_port(), free_port(), free_port()
        self._folder = folder = own_folder("postfix")
        values = {"folder": folder, "lmtp": self.desk_lmtp_port, "smtp": self.desk_smtp_port, "uid": NOBODY}
        config = folder / "config"
        config.mkdir()
        (config / "main.cf").write_text(MAIN.format(**values))
        (config / "master.cf").write_text(MASTER.format(port=self.smtp_port))
        for name in ("queue", "data", "mailboxes"):
            (folder / name).mkdir()
        shutil.chown(folder / "data", "postfix", "postfix")
        shutil.chown(folder / "mailboxes", NOBODY, NOBODY)
        self._command = [binary, "-c", str(config)]
        subprocess.run([*self._command, "check"], check=True, capture_output=True)  # makes the queue's folders
        # "postfix start-fg" would put a shell between us and the master, which then outlives us.
        master = program("master", "postfix", "/usr/lib/postfix/sbin")
        self._server = Server("postfix", [master, "-c", str(config), "-s"], folder)
        self.start()

    def start(self) -> None:
        self._server.start(lambda: listens(self.smtp_port))

    def stop(self) -> None:
        self._server.stop()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def log(self) -> str:
        """What Postfix wrote about every delivery: for a failing test."""
        path = self._folder / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def flush(self) -> None:
        """Try everything deferred again now."""
        subprocess.run([*self._command, "flush"], check=True, capture_output=True)

    def queued(self) -> int:
        """How many mails wait in Postfix for another try."""
        return sum(
            1
            for queue in ("incoming", "active", "deferred")
            for path in (self._folder / "queue" / queue).rglob("*")
            if path.is_file()
        )

    def raw_mailbox(self, name: str) -> list[bytes]:
        """The mails for `name`@customers.test, oldest first, with Postfix's headers on top."""
        new: Path = self._folder / "mailboxes" / "all" / "new"
        if not new.exists():
            return []
        mails = [path.read_bytes() for path in sorted(new.iterdir(), key=lambda path: path.stat().st_mtime_ns)]
        return [raw for raw in mails if f"\nX-Original-To: {name}@customers.test\n".encode() in raw[:1000]]

    def mailbox(self, name: str) -> list[EmailMessage]:
        return [email.message_from_bytes(raw, policy=email.policy.default) for raw in self.raw_mailbox(name)]

    async def arrives(self, name: str, count: int = 1, *, seconds: float = 15) -> list[EmailMessage]:
        """Wait until `count` mails are in `name`@customers.test."""
        give_up = asyncio.get_running_loop().time() + seconds
        while len(found := self.mailbox(name)) < count:
            if asyncio.get_running_loop().time() > give_up:
                raise AssertionError(f"{len(found)} of {count} mails for {name}; Postfix says:\n{self.log[-3000:]}")
            await asyncio.sleep(0.03)
        return found
