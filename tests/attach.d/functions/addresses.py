"""Cases for src/attach/addresses.rs."""

import re

from harness import HOST, OWN, SOURCES, same, start, word

# In the order of the enum in src/host/hidden.rs, whose comments begin with the host's names.
ENUM = (SOURCES.parent / "host/hidden.rs").read_text().partition("enum Hidden {")[2].partition("\n}")[0]
NAMES = re.findall(r"/// `(\w+)`:", ENUM)


def test_addresses():
    [table] = [address for name, address in OWN.items() if re.search("6hidden.*ADDRESSES", name)]
    found = [word(table + 8 * index) for index in range(len(NAMES))]
    same("before the module starts", [0] * 7, found)
    start()
    found = [word(table + 8 * index) for index in range(len(NAMES))]
    for name, address in zip(NAMES, found):
        same(name, HOST[name], address)
