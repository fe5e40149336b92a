"""Which names in a watched folder are ignored: by rules that ship, and by the studio's own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from pathspec import GitIgnoreSpec

# fmt: off
SHIPPED: Mapping[str, tuple[str, ...]] = {
    "hidden": (".*",),
    "Windows": (
        "Thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini", "$RECYCLE.BIN/",
        "RECYCLER/", "RECYCLED/", "$Extend/", "found.[0-9][0-9][0-9]/",
        "System Volume Information/", "DfsrPrivate/", "~$*",
    ),
    "macOS": (
        "Network Trash Folder/", "Temporary Items/", "TheVolumeSettingsFolder/",
        "TheFindByContentFolder/", "*HFS+ Private D*/", "Backups.backupdb/",
    ),
    "Linux": ("lost+found/", "aquota.user", "aquota.group", "*~", "*.swp"),
    "storage": (
        "@eaDir/", r"\#recycle/", r"\#snapshot/", "@tmp/", "@sharebin/", "@Recycle/",
        "@Recently-Snapshot/", "@GMT-*/", "Network Recycle Bin*/", "Recycle Bin/",
        "Recycle Bin - */", "_NAS_Recycle_*/", "trashbox/", "~snapshot/", "*@SynoEAStream",
        "*@SynoResource",
    ),
    "unfinished": (
        "*.tmp", "*.temp", "*.part", "*.partial", "*.crdownload", "*.download", "*.download/",
        "*.opdownload", "*.unconfirmed", "*.incomplete", "*.inprogress", "*.uploading",
        "*.filepart", "*.aria2", "*.lftp-pget-status", "*.aspera-ckpt", "*.aspx", "*.fctmp",
    ),
    "sync": (
        "*.!sync", "*.!bt", "*.!ut", "*.bc!", "*.ut!", "*.jc!", "*.ffs_tmp", "*.ffs_lock",
        "*.ffs_db", "_gsdata_/", "*_conflicted*",
    ),
    "locks": ("*.lock", "*.lck"),
    "Adobe": (
        "Adobe Premiere Pro Auto-Save/", "Adobe Premiere Pro Preview Files/",
        "Adobe Premiere Pro Video Previews/", "Adobe Premiere Pro Audio Previews/",
        "Adobe After Effects Auto-Save/", "Media Cache/", "Media Cache Files/", "Peak Files/",
        "*.PRV/", "*.pek", "*.cfa", "*.prmdc",
    ),
    "Avid": ("Avid MediaFiles/", "OMFI MediaFiles/", "Avid Attic/"),
    "Resolve": ("CacheClip/", "OptimizedMedia/", "ProxyMedia/"),
    "Final Cut": ("*.fcpbundle/", "*.fcpcache/", "*.imovielibrary/"),
}
# fmt: on
"""In gitignore's syntax. Of names that end as a clip's, only hidden ones fit, Office's locks, and
LucidLink's second copies; folders are those that belong to a system, a server or a program. But
for those of what is hidden, rules without a slash at their end are for files only."""

OWN = "the studio's"

# Each further one may take a hundred times as long to read.
MOST_STARS, MOST_IN_A_NAME = 6, 5
_LITERAL_HEAD = re.compile(r"[^*?\[\\]*")
_LITERAL_TAIL = re.compile(r"[^*?\]\\]*\Z")


class Ignoring:
    """The rules of one watched folder. The last one that fits decides; case does not matter.

    `own`: the studio's, after the shipped ones, so that `!*.lock` takes one of those back.
    Raises ValueError for one that cannot be read.
    """

    def __init__(self, own: Iterable[str] = ()) -> None:
        shipped = sorted(
            ((rule, origin) for origin, rules in SHIPPED.items() for rule in rules),
            key=lambda each: not _is_for_files(*each),
        )
        # A line that is empty, or a comment as in a .gitignore, is no rule.
        written = [(rule, OWN) for line in own if (rule := _stripped(line))]
        self.rules = tuple(rule for rule, _ in written)
        self._rules = shipped + [each for each in written if not each[0].startswith("#")]
        if slow := next((rule for rule, _ in self._rules if _is_slow(rule)), None):
            raise ValueError(
                f"the rule {slow} to ignore has too many *: {MOST_STARS} at most, and "
                f"{MOST_IN_A_NAME} in the name of a file or folder"
            )
        self._for_files = sum(_is_for_files(*each) for each in shipped)
        try:
            self._spec = GitIgnoreSpec.from_lines([rule.lower() for rule, _ in self._rules])
        except re.error as error:
            raise ValueError(f"a rule to ignore cannot be read: {error}") from error
        self._prepare()

    def why(self, relpath: str, name: str, *, is_folder: bool) -> str | None:
        """The rule that passes it over, and whose it is; None for what is looked at."""
        if not self.may_pass_over(name):
            return None
        found = self._spec.check_file(f"{relpath.lower()}/" if is_folder else relpath.lower())
        if not is_folder and found.index is not None and found.index < self._for_files:
            found = self._spec.check_file(name.lower())  # a folder that it lies in may have fit
        if not found.include or found.index is None:
            return None
        if is_folder and found.index < self._for_files:
            return None
        rule, origin = self._rules[found.index]
        return f"{rule.replace(chr(92), '')} ({origin})"

    def passes_over(self, relpath: str) -> bool:
        """A file known from before: is it, or a folder that it lies in, passed over now?"""
        at = 0
        while (at := relpath.find("/", at + 1)) > 0:
            folder = relpath[:at]
            if self.why(folder, folder.rpartition("/")[2], is_folder=True):
                return True
        return self.why(relpath, relpath.rpartition("/")[2], is_folder=False) is not None

    def may_pass_over(self, name: str) -> bool:
        """A quick look at all rules at once; most names of a tree fit none."""
        lower = name.lower()
        return (
            self._is_wide
            or lower in self._whole
            or lower.startswith(self._heads)
            or lower.endswith(self._tails)
            or any(part in lower for part in self._parts)
        )

    def _prepare(self) -> None:
        rules = (rule.lower().lstrip("!").rstrip("/") for rule, _ in self._rules)
        lasts = [rule.rpartition("/")[2] for rule in rules]
        self._whole = {last for last in lasts if _LITERAL_HEAD.fullmatch(last)}
        others = [(_head(last), _tail(last)) for last in lasts if last not in self._whole]
        self._heads = tuple({head for head, _ in others if head})
        self._tails = tuple({tail for head, tail in others if tail and not head})
        inner = [last for last in lasts if not _head(last) and not _tail(last)]
        self._parts = tuple({_inside(last) for last in inner} - {""})
        self._is_wide = any(not _inside(last) for last in inner)


def _is_slow(rule: str) -> bool:
    plain = re.sub(r"\\.|\[[^]]*\]", "", rule)
    stars = [len(re.findall(r"\*+", part)) for part in plain.split("/")]
    return max(stars) > MOST_IN_A_NAME or sum(stars) > MOST_STARS


def _is_for_files(rule: str, origin: str) -> bool:
    return origin != "hidden" and not rule.endswith("/")


def _stripped(line: str) -> str:
    """As gitignore has it: blanks at the end count only behind a backslash."""
    return line if line.rstrip(" ").endswith("\\") else line.rstrip()


def _head(last: str) -> str:
    found = _LITERAL_HEAD.match(last)
    return found[0] if found else ""


def _tail(last: str) -> str:
    found = _LITERAL_TAIL.search(last)
    return found[0] if found else ""


def _inside(last: str) -> str:
    """What a name has to hold somewhere, as in *_conflicted*."""
    parts = [] if "[" in last or "\\" in last else re.split(r"[*?]+", last)
    return max(parts, key=len, default="")


SHIPPED_ONLY = Ignoring()
