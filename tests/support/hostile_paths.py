"""Paths of artifacts that nobody should be able to use, by what is wrong with them."""

CLASSES: dict[str, tuple[str, ...]] = {
    "dots": ("..", ".", "../x", "a/../../x", "a/..", "./a", "a/./b", "..\\x", "....//x", "a/...", "..../x"),
    "absolute": ("/", "/etc/passwd", "//etc/passwd", "C:/x", "c:x", "C:\\x", "\\\\host\\share", "a//b", "a/"),
    "NUL and control": ("\0", "a\0b", "a\nb", "\r\nX: y", "a\x7f", "\x1b[2J"),
    "reserved": (
        "con",
        "NUL.txt",
        "a/AUX",
        "aux .txt/..",
        "lpt1",
        "COM\u00b9",
        "a.",
        "a ",
        "conin$",
        "a/nul",
    ),
    "long": ("x" * 4096, "a/" * 2000 + "a", "\u00e9" * 126, "a/" * 64 + "a", "/".join(["x" * 200] * 21)),
    "Unicode": (
        "e\u0301",
        "\ufffd",
        "a/\u212b",
        "\u1100\u1161",
        "\ufdd0/e\u0301",
    ),
    "empty": ("", "/", "//", " ", "."),
}
"""None of these is the path of an artifact, as it is."""

RAW = (
    "%c0%ae%c0%ae/x",
    "%ff",
    "a%80b",
    "%ed%a0%80",
    "%2e%2e%2fx",
    "..%2f..%2fsecret",
    "..%5cx",
    "%00",
    "%2fetc",
)
"""What is none when it is decoded, as a client may send it."""

FUNNY = (
    "%2e%2e/x",
    "..%252fx",
    "\u2025/x",
    "\uff0e\uff0e/x",
    "\u202e/x",
    "~/x",
    "a%00b",
    "%",
    "a;b",
    "-rf",
    "$(x)",
)
"""Names that look dangerous and are names: one file, inside."""
