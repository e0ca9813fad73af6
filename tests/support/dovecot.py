"""A Dovecot of our own: any user, one password; mail is put in by LMTP and read by IMAP."""

from __future__ import annotations

import grp
import itertools
import os
import pwd
import shutil
import smtplib
from collections.abc import Sequence

from tests.support.processes import Missing, Server, free_port, listens, own_folder, program

PASSWORD = "open-sesame"

CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/mail.log
info_log_path = {folder}/mail.log
ssl = no
disable_plaintext_auth = no
listen = 127.0.0.1
protocols = imap lmtp
mail_location = maildir:{folder}/mail/%u
mail_uid = {user}
mail_gid = {group}
first_valid_uid = 1
first_valid_gid = 1
mailbox_idle_check_interval = 1s
maildir_very_dirty_syncs = no
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {{
  driver = static
  args = password={password}
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
protocol lmtp {{
  mail_plugins =
}}
"""


class Dovecot:
    password = PASSWORD

    def __init__(self) -> None:
        if os.geteuid() != 0:
            raise RuntimeError("this Dovecot starts as root: run these tests as root, in a container for instance")
        binary = program("dovecot", "dovecot-imapd dovecot-lmtpd")
        for part, package in (("imap", "dovecot-imapd"), ("lmtp", "dovecot-lmtpd")):
            if not os.path.exists(f"/usr/lib/dovecot/{part}"):
                raise Missing(f"Dovecot's {part}", package)
        self.imap_port, self.lmtp_port = free_port(), free_port()
        self._folder = folder = own_folder("dovecot")
        self._users = itertools.count(1)
        nobody = pwd.getpwnam("nobody")
        (folder / "mail").mkdir()
        os.chown(folder / "mail", nobody.pw_uid, nobody.pw_gid)
        config = folder / "dovecot.conf"
        config.write_text(
            CONFIG.format(
                folder=folder,
                imap=self.imap_port,
                lmtp=self.lmtp_port,
                password=PASSWORD,
                user=nobody.pw_name,
                group=grp.getgrgid(nobody.pw_gid).gr_name,
            )
        )
        self._server = Server("dovecot", [binary, "-F", "-c", str(config)], folder)
        self.start()

    def start(self) -> None:
        self._server.start(lambda: listens(self.imap_port) and listens(self.lmtp_port))

    def stop(self) -> None:
        """Connections break; `start` brings it back on the same ports with the same mail."""
        self._server.stop()

    def kill(self) -> None:
        self._server.kill()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def new_user(self) -> str:
        """A mailbox nobody has used."""
        return f"mailbox-{next(self._users)}@imap.test"

    def deliver(self, user: str, raw: bytes, *, sender: str = "anna@customers.test") -> None:
        """Put a mail into a user's inbox; it is there when this returns."""
        self.deliver_all([user], raw, sender=sender)

    def deliver_all(self, users: Sequence[str], raw: bytes, *, sender: str) -> None:
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            lmtp.sendmail(sender, list(users), raw)

    @property
    def log(self) -> str:
        path = self._folder / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""
