"""Secrets from files, the environment and systemd credentials."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailswitch.config.secret_store import SecretFault, certificate_fault, masked, resolve


def a_secret(path: Path, content: bytes = b"s3cret\n", mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_a_file_beside_the_configuration_is_read_without_its_line_end(tmp_path: Path) -> None:
    a_secret(tmp_path / "key", b"  s3cret\r\n")

    assert resolve("secret_key_file", "key", base=tmp_path, environ={}) == "s3cret"


def test_an_absolute_path_is_taken_as_it_is(tmp_path: Path) -> None:
    path = a_secret(tmp_path / "key")

    assert resolve("password_file", str(path), base=Path("/nowhere"), environ={}) == "s3cret"


def test_a_link_to_a_secret_is_followed(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(a_secret(tmp_path / "key"))

    assert resolve("password_file", "link", base=tmp_path, environ={}) == "s3cret"


def test_the_environment_is_read(tmp_path: Path) -> None:
    assert resolve("password_env", "PASS", base=tmp_path, environ={"PASS": "s3cret"}) == "s3cret"


def test_a_systemd_credential_is_read_from_its_directory(tmp_path: Path) -> None:
    a_secret(tmp_path / "web01", mode=0o400)

    found = resolve("secret_key_credential", "web01", base=Path("/"), environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert found == "s3cret"


def test_a_secret_file_is_looked_for_among_the_credentials_first(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    a_secret(tmp_path / "credentials" / "web01.key", b"from systemd\n", mode=0o400)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}

    found = resolve("secret_key_file", "/etc/mailswitch/web01.key", base=Path("/"), environ=environ)

    assert found == "from systemd"


def test_a_secret_file_that_is_no_credential_is_read_where_it_is(tmp_path: Path) -> None:
    a_secret(tmp_path / "web01.key")
    (tmp_path / "credentials").mkdir()
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}

    assert resolve("secret_key_file", "web01.key", base=tmp_path, environ=environ) == "s3cret"


def test_a_credential_that_cannot_be_used_is_not_passed_over(tmp_path: Path) -> None:
    a_secret(tmp_path / "web01.key")
    (tmp_path / "credentials").mkdir()
    a_secret(tmp_path / "credentials" / "web01.key", b"")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path / "credentials")}

    with pytest.raises(SecretFault, match="is empty"):
        resolve("secret_key_file", "web01.key", base=tmp_path, environ=environ)


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o644, 0o666, 0o777])
def test_a_file_open_to_others_in_any_way_is_refused(tmp_path: Path, mode: int) -> None:
    a_secret(tmp_path / "key", mode=mode)

    with pytest.raises(SecretFault, match=f"open to every user .mode {mode:04o}.*chmod o="):
        resolve("secret_key_file", "key", base=tmp_path, environ={})


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o660])
def test_a_file_for_its_owner_and_group_is_taken(tmp_path: Path, mode: int) -> None:
    a_secret(tmp_path / "key", mode=mode)

    assert resolve("secret_key_file", "key", base=tmp_path, environ={}) == "s3cret"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"one\ntwo\n", "more than one line"),
        (b"a\r\nX-Evil: b", "more than one line"),
        (b"a\x00b", "control character"),
        (b"\xff\xfe", "is not text"),
        (b"x" * 5000, "larger than 4,096 bytes"),
    ],
)
def test_what_cannot_be_a_secret_is_refused_without_being_shown(tmp_path: Path, content: bytes, words: str) -> None:
    path = a_secret(tmp_path / "key", content)

    with pytest.raises(SecretFault, match=words) as caught:
        resolve("secret_key_file", "key", base=tmp_path, environ={})
    assert str(path) in caught.value.reason
    assert "Evil" not in caught.value.reason


def test_directories_and_fifos_are_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo", 0o600)

    for name in ("directory", "fifo"):
        with pytest.raises(SecretFault, match="is not a regular file"):
            resolve("secret_key_file", name, base=tmp_path, environ={})


@pytest.mark.parametrize(
    ("key", "value", "environ", "words"),
    [
        ("secret_key_file", "./missing", {}, "missing cannot be read: No such file or directory"),
        ("secret_key_file", "a\0b", {}, "cannot be read"),
        ("secret_key_env", "PASS", {}, "environment variable named here is not set"),
        ("secret_key_env", "PASS", {"PASS": " "}, "environment variable named here is empty"),
        ("secret_key_credential", "web01", {}, "CREDENTIALS_DIRECTORY is not set"),
        ("secret_key_credential", "web01", {"CREDENTIALS_DIRECTORY": "/nowhere"}, "cannot be read: No such file"),
        ("secret_key_credential", "../web01", {"CREDENTIALS_DIRECTORY": "/"}, "a name, not a path"),
        ("secret_key_credential", "..", {"CREDENTIALS_DIRECTORY": "/"}, "a name, not a path"),
    ],
)
def test_missing_secrets_say_what_is_missing(
    tmp_path: Path, key: str, value: str, environ: dict[str, str], words: str
) -> None:
    with pytest.raises(SecretFault) as caught:
        resolve(key, value, base=tmp_path, environ=environ)
    assert words in caught.value.reason


def test_certificate_files_are_looked_at(tmp_path: Path) -> None:
    (tmp_path / "good").write_text("-----BEGIN CERTIFICATE-----\n", encoding="ascii")
    (tmp_path / "bad").write_text("-----BEGIN PRIVATE KEY-----\n", encoding="ascii")

    assert certificate_fault(tmp_path / "good") is None
    assert certificate_fault(tmp_path / "bad") == f"the file {tmp_path}/bad holds no PEM certificate"
    assert certificate_fault(tmp_path / "none") == f"the file {tmp_path}/none cannot be read: No such file or directory"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:////var/lib/m.db", "sqlite:////var/lib/m.db"),
        ("postgresql://u@h/d?sslkey=/k", "postgresql://u@h/d?sslkey=/k"),
        ("postgresql://u:p@ss:w@h/d", "postgresql://u:***@h/d"),
        ("postgresql://h/d?user=u&password=p&x=y", "postgresql://h/d?user=u&password=***&x=y"),
    ],
)
def test_passwords_in_urls_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown
