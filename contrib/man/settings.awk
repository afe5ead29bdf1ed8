# SPDX-License-Identifier: MIT
# From keys.def, the table of settings, to the list of syncer.yaml(5): key, kind, default, range, what it is.

# Takes the next argument off `rest`: a quoted string, or what stands before the next comma.
function next_argument(    value) {
    sub(/^[ ,]+/, "", rest)
    if (rest ~ /^"/) {
        match(rest, /^"[^"]*"/)
        value = substr(rest, 2, RLENGTH - 2)
    } else {
        match(rest, /^[^,)]*/)
        value = substr(rest, 1, RLENGTH)
    }
    rest = substr(rest, RLENGTH + 1)
    return value
}

function typeset(text) {
    gsub(/\\/, "\\e", text)
    gsub(/`/, "", text)
    return text
}

# In lines of at most 78 bytes, for those who read the source.
function fold(text,    words, n, i, line) {
    n = split(text, words, " ")
    for (i = 1; i <= n; i++) {
        if (line != "" && length(line) + length(words[i]) > 77) {
            print line
            line = ""
        }
        line = line (line == "" ? "" : " ") words[i]
    }
    print line
}

/^CONF_/ {
    kind = substr($0, 6, index($0, "(") - 6)
    rest = substr($0, index($0, "(") + 1)
    key = next_argument()
    unit = kind ~ /MS$/ ? " ms" : ""
    range = ""
    if (kind == "ENUM") {
        values = next_argument()
        n = split(values, names, "|")
        def = names[next_argument() + 1]
        gsub(/\|/, ", ", values)
        range = "one of " values
    } else if (kind ~ /^AUTO/) {
        def = "auto"
    } else {
        def = next_argument()
    }
    if (kind == "INT" || kind == "MS" || kind ~ /^AUTO/)
        range = next_argument() " to " next_argument() unit
    if (kind == "BOOL")
        range = "true or false"
    if (kind == "LIST")
        range = "one value or a list"
    if (def == "NULL")
        def = "none"
    else if (def ~ /^[0-9]+$/)
        def = def unit
    doc = next_argument()
    print ".It Cm " key
    fold(typeset(toupper(substr(doc, 1, 1)) substr(doc, 2)) ".")
    fold("Default: " typeset(def) (range ? "; " range : "") ".")
}
