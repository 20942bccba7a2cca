"""Making a PostgreSQL cluster: its folder, its user, ``initdb``, its roles and database."""

import errno
import os
import pwd
import secrets
import shutil
import subprocess
from pathlib import Path

import psycopg
from psycopg import sql

from exchange.embedded.processes import Account, server_environment
from exchange.embedded.programs import initdb_program
from exchange.exits import EnvironmentUnfit
from exchange.private_files import UNFINISHED_SUFFIX, unfit

SUPERUSER = "haulproof_admin"
RUNTIME_ROLE = "haulproof"
OWNER_ROLE = "haulproof_owner"
"""Owns database and schema; the superuser becomes it to migrate."""
DATABASE = "haulproof"
HERE = "/proc/self/cwd"
"""The data folder as servers are told it: where they are, whatever lies above it."""

_UNNAMED_UIDS = range(47_000, 48_000)
_INITDB_TIMEOUT_S = 120


def cluster_account(folder: Path) -> Account | None:
    """The user for the cluster in a folder: ourselves (None) unless we are root.

    An existing cluster keeps its owner; a new one gets a uid without a name that owns nothing else.
    """
    if os.geteuid() != 0:
        return None
    if folder.exists():
        held = folder.stat()
        if held.st_uid != 0:
            return Account(held.st_uid, held.st_gid)
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = secrets.choice([uid for uid in _UNNAMED_UIDS if uid not in taken])
    return Account(uid, uid)


def make_cluster(folder: Path, programs: Path, account: Account | None, password: str) -> None:
    """Run ``initdb`` beside the folder and rename; a killed run leaves nothing that counts.

    Raises ``EnvironmentUnfit`` with initdb's own words when it fails.
    """
    unfinished = folder.with_name(folder.name + UNFINISHED_SUFFIX)
    try:
        if unfinished.exists():
            shutil.rmtree(unfinished)
        unfinished.mkdir(mode=0o700)
        if account is not None:
            os.chown(unfinished, account.uid, account.gid)
    except OSError as error:
        raise unfit(unfinished, error) from None
    with initdb_program(programs, account) as initdb:
        _run_initdb(initdb, unfinished, account, password)
    unfinished.rename(folder)


def _run_initdb(initdb: Path, folder: Path, account: Account | None, password: str) -> None:
    # Anonymous memory, so that the password is on no disk and open to the other user.
    password_file = os.memfd_create("password")
    try:
        os.write(password_file, f"{password}\n".encode())
        done = subprocess.run(
            [
                initdb,
                f"--pgdata={HERE}",
                f"--username={SUPERUSER}",
                f"--pwfile=/proc/self/fd/{password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--data-checksums",
                "--no-instructions",
            ],
            cwd=folder,
            env=server_environment(),
            pass_fds=(password_file,),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_INITDB_TIMEOUT_S,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (PermissionError, subprocess.TimeoutExpired) as error:
        raise EnvironmentUnfit(f"PostgreSQL's initdb does not run here: {error}") from None
    finally:
        os.close(password_file)
    if b"No space left on device" in done.stdout:
        raise unfit(folder.parent, OSError(errno.ENOSPC, ""))
    if done.returncode != 0:
        raise EnvironmentUnfit(f"PostgreSQL's initdb failed: {_last_words(done.stdout)}")


def make_database(superuser: psycopg.Connection[tuple[object, ...]], password: str) -> None:
    """The owner's role and the runtime role, and the database; what exists stays as it is."""
    superuser.autocommit = True
    if not _has_role(superuser, OWNER_ROLE):
        superuser.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(OWNER_ROLE)))
    if not _has_role(superuser, RUNTIME_ROLE):
        hashed = superuser.pgconn.encrypt_password(
            password.encode(), RUNTIME_ROLE.encode(), b"scram-sha-256"
        )
        superuser.execute(
            sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(RUNTIME_ROLE), sql.Literal(hashed.decode())
            )
        )
    known = superuser.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE])
    if known.fetchone() is None:
        superuser.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(
                sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE)
            )
        )


def own_tables(superuser_url: str) -> None:
    """Take from the runtime role what it owned in a database made before it had an owner."""
    with psycopg.connect(superuser_url) as connection:
        row = connection.execute(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        if row == (RUNTIME_ROLE,):
            roles = sql.Identifier(RUNTIME_ROLE), sql.Identifier(OWNER_ROLE)
            connection.execute(sql.SQL("REASSIGN OWNED BY {} TO {}").format(*roles))


def _has_role(superuser: psycopg.Connection[tuple[object, ...]], name: str) -> bool:
    known = superuser.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name])
    return known.fetchone() is not None


def _last_words(output: bytes) -> str:
    lines = output.decode(errors="replace").splitlines()
    told = [line for line in lines if any(sign in line for sign in ("error", "FATAL", "could not"))]
    return told[-1] if told else "it gave no reason"
