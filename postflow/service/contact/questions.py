"""The questions: what is asked, what PostFlow assumes, and what follows where that is not so.

Each is called as the sandbox's switch for it, and its answers are that switch's settings.
"""

from __future__ import annotations

from . import fetching, files, manners, sending, stacks
from .question import Count, Programs, Question, Seconds, handled, to_report

YES_NO = {True: "yes", False: "no"}
TWINS = {"allow": "both have it", "refuse": "the second is refused", "rename": "it gets a number"}
NOTHING_SENT = "PostFlow never sends it"
EITHER_WAY = "PostFlow looks what is signed"

QUESTIONS = (
    Question(
        "offline_access",
        "Does the sign-in renew itself?",
        YES_NO,
        manners.offline_access,
        True,
        {False: handled("it ends in a day, and PostFlow says when to run `postflow login`")},
    ),
    Question(
        "rate_window",
        "In which unit does Frame.io tell its rate limits?",
        {"ms": "milliseconds", "s": "seconds", "absent": "it does not tell them"},
        manners.rate_window,
        "ms",
        {
            "s": to_report("PostFlow calls too often, is refused, and slows down"),
            "absent": handled("PostFlow keeps to the documented limits"),
        },
    ),
    Question(
        "strict_query",
        "Are unknown parameters refused?",
        YES_NO,
        manners.strict_query,
        True,
        {False: handled(NOTHING_SENT)},
    ),
    Question(
        "page_sizes",
        "Do lists heed the page size, up to 500?",
        {"documented": "yes", "hundred": "up to 100 only", "ignored": "no"},
        manners.page_sizes,
        "documented",
        {
            "hundred": handled("PostFlow then asks for a hundred"),
            "ignored": handled("PostFlow reads page after page, whatever their size"),
        },
    ),
    Question(
        "include_list",
        "May several things be asked for with one `include`?",
        {"commas": "yes, joined by commas", "refused": "no"},
        manners.include_list,
        "commas",
        {"refused": handled(NOTHING_SENT)},
    ),
    Question(
        "type_list",
        "May files and version stacks be listed in one call?",
        {"commas": "yes, joined by commas", "refused": "no"},
        manners.type_list,
        "commas",
        {"refused": handled(NOTHING_SENT)},
    ),
    Question(
        "audit_log",
        "May the account's audit log be read?",
        {"readable": "yes", "forbidden": "no"},
        manners.audit_log,
    ),
    Question(
        "duplicate_folders",
        "What does a second folder of one name meet?",
        TWINS,
        manners.duplicate_folders,
        "allow",
        {
            "refuse": handled("PostFlow then takes the one that is there"),
            "rename": handled("PostFlow looks before it makes one, and again afterwards"),
        },
    ),
    Question(
        "odd_names",
        "What becomes of /, :, * and the like in a name?",
        {"keep": "they stay", "replace": "others stand for them", "refuse": "they are refused"},
        manners.odd_names,
        "keep",
        {
            "replace": to_report("a clip or folder with such a name is not found again"),
            "refuse": handled("a clip with such a name fails, and its author is told why"),
        },
    ),
    Question(
        "share_policy",
        "What does a public link need?",
        {
            "open": "nothing",
            "passphrase": "a passphrase",
            "expiration": "an end",
            "forbidden": "more rights than this user has",
        },
        manners.share_policy,
        "open",
        {
            "passphrase": handled("set one in the share's settings"),
            "expiration": handled("set an end in the share's settings"),
            "forbidden": handled("only links for members of the project can be told"),
        },
    ),
    Question(
        "share_passphrase",
        "Does a link get a passphrase by itself?",
        {"optional": "no", "required": "yes"},
        manners.share_passphrase,
        "optional",
        {"required": handled("the passphrase is told with the link")},
    ),
    Question(
        "share_again",
        "What does a clip that a link already opens meet when it is added again?",
        {"ignore": "nothing", "refuse": "a refusal"},
        manners.share_again,
        "ignore",
        {"refuse": handled("PostFlow looks whether it is in it")},
    ),
    Question(
        "share_assets",
        "Does a link take 100 clips at once?",
        {"hundred": "yes", "ten": "no, fewer"},
        manners.share_assets,
        "hundred",
        {"ten": handled("PostFlow then makes links of ten")},
    ),
    Question(
        "duplicate_files",
        "What does a second file of one name meet?",
        TWINS,
        files.duplicate_files,
        "allow",
        {
            "refuse": to_report("a clip that was exported again is refused"),
            "rename": handled("PostFlow knows its files by id"),
        },
    ),
    Question(
        "media_type_at",
        "When is the kind of a file known?",
        {"upload": "once it is there", "creation": "at once"},
        files.media_type_at,
    ),
    Question(
        "part_rule",
        "How is a large file cut into parts?",
        {"equal": "into equal ones", "fixed": "into full ones and a rest"},
        sending.part_rule,
        "equal",
        {"fixed": handled("PostFlow takes each part's size from Frame.io")},
    ),
    Question("part_bytes", "How many bytes has a part at most?", Count, sending.part_bytes),
    Question(
        "part_url_seconds",
        "How many seconds may a part be sent?",
        Count,
        sending.part_url_seconds,
        at_least=3600,
        below=handled("a large clip on a slow line is begun anew"),
    ),
    Question(
        "signed_content_type",
        "Which Content-Type is signed with a part?",
        {
            "always": "that of the file, or none in particular",
            "guessed": "by its name",
            "never": "none",
        },
        sending.signed_content_type,
        "always",
        {
            "guessed": handled("PostFlow then tries what the name says"),
            "never": handled(EITHER_WAY),
        },
    ),
    Question(
        "signed_acl",
        "Is x-amz-acl signed with a part?",
        {"always": "yes", "never": "no"},
        sending.signed_acl,
        "always",
        {"never": handled(EITHER_WAY)},
    ),
    Question(
        "part_etag",
        "Does the store tell the MD5 of a part?",
        {"md5": "yes", "other": "no, something else", "none": "no, nothing"},
        sending.part_etag,
        "md5",
        {
            "other": handled("direct upload is proven by size, without a checksum"),
            "none": handled("direct upload is proven by size, without a checksum"),
        },
    ),
    Question(
        "stack_name",
        "Whose name has a version stack?",
        {
            "head": "its newest version's",
            "arrival": "the one its newest version came with",
            "creation": "the one it was made with",
        },
        stacks.stack_name,
        "head",
        {
            "arrival": handled("PostFlow knows stacks by their ids and versions"),
            "creation": handled("PostFlow knows stacks by their ids and versions"),
        },
    ),
    Question(
        "stack_of_one",
        "What becomes of a version stack with one version left?",
        {"dissolve": "it is gone", "keep": "it stays"},
        stacks.stack_of_one,
        "dissolve",
        {"keep": handled("PostFlow puts the next version on it")},
    ),
    Question(
        "probe",
        "Does Frame.io look at a clip before it says yes to fetching it?",
        {"none": "no", "head": "yes, by HEAD", "get": "yes, by a GET that it breaks off"},
        fetching.probe,
        "none",
        {
            "head": handled("PostFlow answers HEAD as GET"),
            "get": handled("PostFlow serves a clip as often as it is asked for"),
        },
    ),
    Question(
        "fetch_style",
        "How is a clip fetched?",
        {
            "get": "by one GET",
            "head_then_get": "HEAD first, then GET",
            "ranges": "in ranges",
            "abort_and_resume": "by a GET that is broken off, and one for the rest",
        },
        fetching.fetch_style,
        "get",
        dict.fromkeys(
            ("head_then_get", "ranges", "abort_and_resume"),
            handled("PostFlow serves HEAD and ranges"),
        ),
    ),
    Question(
        "fetch_user_agent",
        "How does the fetcher call itself?",
        Programs,
        fetching.fetch_user_agent,
    ),
    Question("fetch_delay", "How soon does it begin?", Seconds, fetching.fetch_delay),
    Question(
        "finish_seconds",
        "How soon after its last byte is a clip complete?",
        Seconds,
        fetching.finish_seconds,
    ),
    Question(
        "redirects",
        "Is a redirect followed?",
        {"followed": "yes", "refused": "no"},
        fetching.redirects,
    ),
    Question(
        "without_length",
        "Is a clip taken that does not say how long it is?",
        {"taken": "yes", "refused": "no"},
        fetching.without_length,
    ),
    Question(
        "too_big",
        "Is a clip of more than 50 GB refused at once?",
        {"fail": "no", "refuse": "yes"},
        fetching.too_big,
    ),
    Question(
        "size_limit",
        "How large may a clip be that is fetched?",
        {fetching.GB_50: "50 GB", fetching.GIB_50: "50 GiB"},
        fetching.size_limit,
        fetching.GB_50,
        {fetching.GIB_50: handled("PostFlow takes the smaller reading")},
    ),
    Question(
        "fetch_attempts",
        "How often is a clip tried that cannot be had?",
        Count,
        fetching.fetch_attempts,
        at_least=2,
        below=handled("after a stumble of the tunnel PostFlow asks again"),
    ),
    Question(
        "fetch_pause", "How long is the pause between two tries?", Seconds, fetching.fetch_pause
    ),
    Question(
        "fail_seconds",
        "How soon after the last try does Frame.io say that it failed?",
        Seconds,
        fetching.fail_seconds,
    ),
    Question(
        "fetch_idle_timeout",
        "How long is a silence borne?",
        Seconds,
        fetching.fetch_idle_timeout,
        at_least=10.0,
        below=handled("after a stumble of the disk PostFlow asks again"),
    ),
    Question("transcodes", "Is a clip made ready to play?", YES_NO, files.transcodes),
    Question("transcode_seconds", "How soon after it was sent?", Seconds, files.transcode_seconds),
)
SLOW = frozenset(
    {"fetch_attempts", "fetch_pause", "fail_seconds", "fetch_idle_timeout", "transcodes"}
    | {"transcode_seconds", "redirects", "without_length"}
)
