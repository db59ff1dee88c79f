"""Strings that break pages which do not expect them: some of each kind, and several hundred for the long tests."""

STRINGS = (
    "<script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' autofocus onfocus=alert(1) x='",
    '" autofocus onfocus=alert(1) x="',
    "javascript:alert(1)",
    "<a href=javascript:alert(1)>x</a>",
    "<style>*{display:none}</style>",
    "<base href=https://evil.example/>",
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[",
    "&lt;script&gt;",
    "&amp;amp;",
    "&#60;b&#62;",
    "{{ 7 * 7 }}",
    "{% raw %}",
    "{# x #}",
    "${7*7}",
    "%s %d %(x)s",
    "{0} {x}",
    "\\",
    "\\u003cscript\\u003e",
    "'; DROP TABLE release; --",
    "../../etc/passwd",
    "\ufeffBOM",
    "a\u202eb\u2066c",
    "\u2028\u2029",
    "Z\u0351\u036b\u0343\u0321A\u0327L\u0348G\u0318O",
    "田中さんにあげて下さい",
    "👩‍👩‍👧‍👦 🏳️‍🌈",
    "مرحبا بالعالم",
    "\n\nbegins with lines",
    "ends with a line\n",
    " \t spaces around \t ",
    "tab\tand\nline",
    "\x01\x1b[31mred\x7f\x85",
    "carriage\r\nreturn\r",
    "",
    "null",
    "true",
    "0",
    "-0",
    "1e131071",
    "NaN",
    "x" * 5_000,
    "long-without-a-space" * 50,
    "<" * 300,
)

#: What would run.
_RUNS = (
    "<script>alert(1)</script>",
    "<script src=//evil.example/x.js></script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<body onload=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<math href=javascript:alert(1)>x</math>",
    "<object data=javascript:alert(1)></object>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example/x.css'</style>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<SCRIPT>alert(1)</SCRIPT >",
    "<script\t>alert(1)</script\n>",
)
#: What would get it out of where it stands.
_OUT = (
    "",
    '">',
    "'>",
    "</textarea>",
    "</title>",
    "</script>",
    "</style>",
    "-->",
    "]]>",
    "</option></select>",
    "`}}",
    "&gt;",
)
#: Addresses that are none.
_ADDRESSES = tuple(
    f"{blank}{scheme}:{rest}"
    for blank in ("", " ", "\t", "\x01", "\u00a0")
    for scheme in ("javascript", "JaVaScRiPt", "java\nscript", "data", "vbscript")
    for rest in ("alert(1)", "//%0aalert(1)", "text/html,<script>alert(1)</script>")
)
_TEMPLATES = tuple(
    text
    for inside in ("7*7", "config", "self.__init__.__globals__", "''.__class__.__mro__", "request.cookies")
    for text in (f"{{{{{inside}}}}}", f"{{% print {inside} %}}", f"${{{inside}}}", f"#{{{inside}}}", f"<%= {inside} %>")
)
_DATABASES = tuple(
    f"{quote}{rest}"
    for quote in ("'", '"', "\\'", "')", "$$")
    for rest in (
        " OR 1=1 --",
        "; DROP TABLE token; --",
        " UNION SELECT secret_hash FROM token --",
        "; SELECT pg_sleep(9)",
    )
)
#: Letters that are not what they seem, that turn lines around, join, or take no room.
_HIDDEN = (
    0x00AD, 0x034F, 0x061C, 0x115F, 0x180E, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x206A),
    0x3164, 0xFE0F, 0xFEFF, 0xFFA0, 0xFFF9, 0xFFFC, 0xFFFD, 0xFFFE, 0xE0041, 0x10FFFF,
)  # fmt: skip
_LETTERS = tuple(f"pay{chr(code)}ments" for code in _HIDDEN)
_CONTROLS = tuple(f"a{chr(code)}b" for code in (*range(1, 32), *range(127, 160)))
_LOOKS = (
    "\u0440\u0430yments",  # Cyrillic
    "\uff41\uff44\uff4d\uff49\uff4e",  # wide
    "ⓐⓓⓜⓘⓝ 𝕒𝕕𝕞𝕚𝕟 ADMİN ﬁle ß ẞ",
    "A\u030a \u1e69\u0308",
    "ﷺ",
    "﷽" * 20,
    "🏴\U000e0067\U000e0062\U000e007f",
    "👩🏽\u200d🚒 🇩🇪🇫",
    "e" + "\u0301" * 200,
    "\u202e" * 50 + "txt.exe",
    "שלום עולם",
    "\u200fa\u200eb",
    "한국어 ไทย हिन्दी",
    "𒐫" * 30,
    "꧅" * 30,
    "\u0e47" * 100,
    "-" * 1_000,
    "W" * 2_000,
    "i " * 1_000,
    "\n" * 200,
)
_NUMBERS = (
    "1e309", "-1e309", "0x10", "0b1", "1_000", "١٢٣", "½", "1,000.5", "9223372036854775808", "-9223372036854775809",
    "Infinity", "undefined", "[object Object]", "None", "nil", "false", "[]", "{}", '{"__proto__":1}', '"', "''", "\\n",
)  # fmt: skip
_PATHS = (
    "..", "../", "..\\", "%2e%2e%2f", "%00", "%", "%zz", "/etc/passwd", "file:///etc/passwd", "//evil.example",
    "\\\\evil.example", "?a=b", "#x", "a/b", "a;b", "a&b=c", "a+b", "CON", "~", "-rf", "--help", "$(id)", "`id`", "|id",
    ";id", "$HOME", "=1+1", "@SUM(1)",
)  # fmt: skip
_MADE = (out + runs for out in _OUT for runs in _RUNS)
_OTHERS = (*_ADDRESSES, *_TEMPLATES, *_DATABASES, *_LETTERS, *_CONTROLS, *_LOOKS, *_NUMBERS, *_PATHS)
ALL = tuple(dict.fromkeys((*STRINGS, *_MADE, *_OTHERS)))
