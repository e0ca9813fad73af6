"""A Dovecot of our own: any user, one password; mail is put in by LMTP and read by IMAP."""

from __future__ import annotations

import base64
import grp
import hashlib
import hmac
import itertools
import json
import os
import pwd
import shutil
import smtplib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

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
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
passdb {{
  driver = static
  args = password={password}
  mechanisms = plain login
}}
passdb {{
  driver = oauth2
  args = {folder}/oauth2.conf
  mechanisms = xoauth2 oauthbearer
}}
userdb {{
  driver = static
  args = uid={user} gid={group} home={folder}/mail/%u allow_all_users=yes
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


OAUTH2 = """
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={folder}/keys/
username_attribute = sub
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
        self._token_key = os.urandom(32)
        key = folder / "keys" / "default" / "HS256" / "default"
        key.parent.mkdir(parents=True)
        key.write_bytes(base64.b64encode(self._token_key))
        (folder / "oauth2.conf").write_text(OAUTH2.format(folder=folder))
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

    def access_token(self, user: str, *, life: timedelta = timedelta(hours=1)) -> str:
        """One with which `user` may sign in by XOAUTH2 for so long: a JSON Web Token, RFC 7519, signed with HS256."""
        now = int(datetime.now(UTC).timestamp())
        claims = {"sub": user, "iat": now - 60, "exp": now + int(life.total_seconds()), "jti": os.urandom(8).hex()}
        signed = f"{_segment({'alg': 'HS256', 'typ': 'JWT'})}.{_segment(claims)}"
        mac = hmac.new(self._token_key, signed.encode(), hashlib.sha256).digest()
        return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"

    def new_user(self) -> str:
        """A mailbox nobody has used."""
        return f"mailbox-{next(self._users)}@imap.test"

    def deliver(self, user: str, raw: bytes, *, sender: str = "anna@customers.test") -> None:
        """Put a mail into a user's inbox; it is there when this returns."""
        self.deliver_all([user], raw, sender=sender)

    def deliver_all(self, users: Sequence[str], raw: bytes, *, sender: str) -> None:
        with smtplib.LMTP("127.0.0.1", self.lmtp_port) as lmtp:
            lmtp.sendmail(sender, list(users), raw)

    def fill(self, user: str, raws: Sequence[bytes], *, dated: datetime) -> None:
        """Put many mails into a user's inbox at once, as if they had come then; nobody may be connected yet."""
        folder = self._folder / "mail" / user
        nobody = pwd.getpwnam("nobody")
        for part in ("", "cur", "new", "tmp"):
            (folder / part).mkdir(exist_ok=True)
            os.chown(folder / part, nobody.pw_uid, nobody.pw_gid)
        at = dated.timestamp()
        for number, raw in enumerate(raws):
            path = folder / "cur" / f"{int(at)}.M{number:06d}.host:2,S"
            path.write_bytes(raw)
            os.chown(path, nobody.pw_uid, nobody.pw_gid)
            os.utime(path, (at + number, at + number))

    def file_of(self, user: str, words: bytes) -> Path:
        """The file of the mail in which these words stand."""
        folder = self._folder / "mail" / user
        return next(path for part in ("new", "cur") for path in (folder / part).iterdir() if words in path.read_bytes())

    @property
    def log(self) -> str:
        path = self._folder / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""


def _segment(value: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
