"""What a mail folder is for, by its name.

Facts:

- A Maildir++ folder is a directory ``.NAME`` beside ``cur``; a subfolder is ``.NAME.SUBNAME`` (Courier, Maildir++).
- Names are in IMAP's modified UTF-7: ``&kAFP4W4IMH8-`` is Japanese (RFC 3501 §5.1.3).
- Plesk's Dovecot makes Sent, Drafts, Trash and Spam; mail programs make their own in their users' languages.
"""

from __future__ import annotations

import base64
import binascii
import re
from enum import StrEnum

__all__ = ["Role", "folder_name", "role_of"]

_SHIFTED = re.compile(r"&([A-Za-z0-9+,]*)-")


class Role(StrEnum):
    """What lies in a folder."""

    ARRIVED = "arrived"
    """Mail that came, in the inbox or put in order by its owner."""
    SPAM = "spam"
    OWN = "own"
    """Sent or drafted by its owner: it never arrived."""
    DISCARDED = "discarded"
    """Thrown away by its owner, who has seen it."""


_WORDS = {
    Role.SPAM: (
        "spam, junk, junk e-mail, junk email, junk mail, bulk mail, spamverdacht, unerwünscht, werbung, "
        "courrier indésirable, indésirables, pourriel, correo no deseado, posta indesiderata, ongewenste e-mail, "
        "ongewenst, lixo eletrônico, niechciane, спам, 迷惑メール, 迷惑メールフォルダ, スパム, 垃圾邮件"
    ),
    Role.OWN: (
        "sent, sent items, sent messages, sent mail, sent-mail, gesendet, gesendete elemente, gesendete objekte, "
        "gesendete nachrichten, envoyés, éléments envoyés, messages envoyés, enviados, elementos enviados, "
        "posta inviata, inviati, verzonden, verzonden items, itens enviados, wysłane, отправленные, 送信済み, "
        "送信済みアイテム, 送信済みメール, 送信済みトレイ, 已发送, "
        "drafts, draft, entwürfe, brouillons, borradores, bozze, concepten, rascunhos, szkice, черновики, 下書き, "
        "草稿, 草稿箱, templates, vorlagen, outbox, postausgang, 送信トレイ"
    ),
    Role.DISCARDED: (
        "trash, deleted, deleted items, deleted messages, bin, papierkorb, gelöschte elemente, gelöschte objekte, "
        "corbeille, éléments supprimés, papelera, elementos eliminados, cestino, posta eliminata, prullenbak, "
        "verwijderde items, lixeira, itens excluídos, kosz, удаленные, корзина, ゴミ箱, ごみ箱, 削除済みアイテム, "
        "削除済みメール, 已删除"
    ),
}
_ROLES = {word.strip(): role for role, words in _WORDS.items() for word in words.split(",")}


def folder_name(directory: str) -> str:
    """Return a folder's name as people see it; what is no modified UTF-7 stays as it is."""
    return _SHIFTED.sub(_unshifted, directory.removeprefix("."))


def role_of(directory: str) -> Role:
    """Return what a Maildir++ directory is for; a subfolder of a folder is for the same."""
    for part in directory.removeprefix(".").split("."):
        role = _ROLES.get(folder_name(part).casefold().strip())
        if role is not None:
            return role
    return Role.ARRIVED


def _unshifted(found: re.Match[str]) -> str:
    digits = found[1].replace(",", "/")
    if not digits:
        return "&"
    try:
        return base64.b64decode(digits + "=" * (-len(digits) % 4), validate=True).decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        return found[0]
