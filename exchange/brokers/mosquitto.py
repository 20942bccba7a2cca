"""Files of a Mosquitto that serves an exchange: configuration, rights, passwords, certificate.

Configuration and rights are written once and are the operator's from then on. The passwords are
ours to keep current; users in that file that are no devices stay as they are. The certificate is a
copy of the exchange's, since Mosquitto reads it as its own user.
"""

import os
import secrets
import signal
import string
from collections.abc import Mapping
from pathlib import Path

from exchange.broker_address import mqtt_address
from exchange.devices.password_file import SALT_BYTES, hashed, merged
from exchange.directory import Directory
from exchange.exits import EnvironmentUnfit, WrongUsage
from exchange.private_files import unfit, write_private
from exchange.settings import Settings

_TEMPLATES = Path(__file__).parent
_FILES = {"mosquitto.conf": "mosquitto.conf", "mosquitto.acl": "acl"}
_PASSWORDS = "passwords"
_DATA = "data"
_READABLE = 0o640


class MosquittoFolder:
    """The folder that a Mosquitto is started from; what is written belongs to its owner."""

    def __init__(self, folder: Path, settings: Settings, directory: Directory) -> None:
        self.folder = folder.absolute()
        self._settings = settings
        self._directory = directory
        salt = secrets.token_bytes(SALT_BYTES)
        self._exchange = {settings.mqtt_user: hashed(settings.mqtt_password, salt)}

    @property
    def configuration(self) -> Path:
        """What ``mosquitto -c`` is given."""
        return self.folder / "mosquitto.conf"

    @property
    def pid_file(self) -> Path:
        """Where our configuration has Mosquitto write its process id."""
        return self.folder / "mosquitto.pid"

    def prepare(self) -> None:
        """Write what is missing of configuration, rights and data folder."""
        if not self.folder.is_dir():
            raise WrongUsage(
                f"there is no folder {self.folder}: make it, owned by the user that Mosquitto "
                "runs as"
            )
        values = self._values()
        for template, name in _FILES.items():
            path = self.folder / name
            if not path.exists():
                text = (_TEMPLATES / template).read_text(encoding="utf-8")
                self._write(path, string.Template(text).substitute(values))
        data = self.folder / _DATA
        if not data.exists():
            data.mkdir(mode=0o750)
            self._hand_over(data)

    def copy_certificate(self) -> bool:
        """Bring the exchange's certificate here; whether it was another one before."""
        held, here = self._directory, self.folder
        pairs = {here / "server.key": held.server_key, here / "server.pem": held.server_certificate}
        changed = False
        for copy, original in pairs.items():
            text = original.read_text(encoding="ascii")
            if not copy.exists() or copy.read_text(encoding="ascii") != text:
                self._write(copy, text)
                changed = True
        return changed

    def write_passwords(self, devices: Mapping[str, str] | None) -> None:
        """Bring the password file up to date; None leaves the devices in it as they are."""
        path = self.folder / _PASSWORDS
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        self._write(path, merged(before, self._exchange, devices))

    def _values(self) -> dict[str, str]:
        return {
            "folder": str(self.folder),
            "port": str(mqtt_address(self._settings.mqtt_url).port),
            "user": self._settings.mqtt_user,
        }

    def _write(self, path: Path, text: str) -> None:
        write_private(path, text.encode(), _READABLE)
        self._hand_over(path)

    def _hand_over(self, path: Path) -> None:
        if os.geteuid() == 0:
            owner = self.folder.stat()
            os.chown(path, owner.st_uid, owner.st_gid)


def tell_to_read_again(pid_file: Path) -> None:
    """SIGHUP to the Mosquitto whose id is in the file; one that is not running reads at its start.

    Raises ``EnvironmentUnfit`` when the file can't be read or the process is not ours to signal.
    """
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        os.kill(pid, signal.SIGHUP)
    except (FileNotFoundError, ProcessLookupError):
        return
    except ValueError:
        raise EnvironmentUnfit(f"{pid_file} holds no process id: check --pid-file") from None
    except PermissionError:
        raise EnvironmentUnfit(
            f"no permission to signal the process in {pid_file}: run as root or as Mosquitto's user"
        ) from None
    except OSError as error:
        raise unfit(pid_file, error) from None
