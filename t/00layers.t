#!/bin/sh
# TAP test: every #include obeys src/layers.txt, whose lines read "folder: what it may include".
cd "${1:-$(dirname "$0")/../src}" && grep -rnE --include='*.[ch]' '^ *# *include *["<]' . | sed -E 's|^\./||; s|# *include *|include |' | awk '
    FILENAME == "layers.txt" {                # base: / config: base <yaml.h> / ...
        room = $1; sub(/:$/, "", room)
        for (i = 2; i <= NF; i++) { may[room, $i] = 1; if ($i ~ /^</) guest[$i] = 1 }
        next
    }
    {                                         # config/yaml.c:7:include <yaml.h>
        split($0, part, ":"); room = part[1]; if (!sub(/\/.*/, "", room)) room = "main"
        match($0, /["<][^">]*[">]/); want = substr($0, RSTART, RLENGTH)
        top = want; sub(/["<]/, "", top); sub(/[\/">].*/, "", top)
        key = want ~ /^</ ? (("<" top "/>") in guest ? "<" top "/>" : want) : top
        bad = want ~ /^</ ? (key in guest) && !((room, key) in may) : top != room && !((room, top) in may)
        ++seen
        if (bad) { print "# " part[1] ":" part[2] ": " room "/ may not include " want; failed = 1 }
    }
    END { if (!seen) { print "# no sources here"; failed = 1 }
        print (failed ? "not ok" : "ok") " 1 - includes follow the layers\n1..1"; exit failed }' layers.txt -
