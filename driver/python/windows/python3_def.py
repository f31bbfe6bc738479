"""python3_def.py: prints the module definition of python3.dll, by which a linker makes its import library: the functions and
data of the stable ABI as of Python 3.11, by the package abi3info."""

import abi3info

OLDEST = (3, 11)

print("LIBRARY python3.dll\nEXPORTS")
for table, word in ((abi3info.FUNCTIONS, ""), (abi3info.DATAS, " DATA")):
    for symbol, known in sorted(table.items(), key=lambda item: item[0].name):
        if (known.added.major, known.added.minor) <= OLDEST and known.ifdef is None:
            print(f"    {symbol.name}{word}")
