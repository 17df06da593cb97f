#!/bin/sh
# What goes with a binary: documents.sh TARGET|host FOLDER writes FOLDER/sbom.cdx.json (CycloneDX 1.6) and
# FOLDER/THIRD-PARTY-LICENSES.txt, from Cargo.lock and the sources that cargo has fetched: the crates that are linked in
# for TARGET, no build tools. Plain sh and awk, as docker/Dockerfile runs it where there is nothing else.
set -eu

cd "$(dirname "$0")/../.."
target=${1:?usage: documents.sh TARGET FOLDER}
folder=${2:?usage: documents.sh TARGET FOLDER}
[ "$target" != host ] || target=$(rustc -vV | sed -n 's/^host: //p')
sources=${CARGO_HOME:-$HOME/.cargo}/registry/src

die() { echo "documents.sh: $*" >&2; exit 1; }

mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# DEPTH name vVERSION|LICENCE|REPOSITORY; proc macros and build scripts run at compile time and are not part of the binary.
cargo tree --locked --quiet --target "$target" --edges normal,no-proc-macro --prefix depth --format ' {p}|{l}|{r}|' >"$work/tree"
# name VERSION|LICENCE|REPOSITORY, each once, without the program itself.
sed 's/^[0-9]* //; s/ v/ /; s/ ([^)]*)|/|/; s/|[^|]*$//' "$work/tree" | sed 1d | sort -u >"$work/crates"

sbom() {
    awk -v version="$(sed -n '1s/^0 [^ ]* v\([^ |]*\).*/\1/p' "$work/tree")" '
    function quoted(text) { gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); return "\"" text "\"" }
    function reference(name, version) { return "pkg:cargo/" name "@" version }
    # Cargo.lock: checksums.
    FNR == 1 { file++ }
    file == 1 && /^name = / { gsub(/"/, "", $3); name = $3 }
    file == 1 && /^version = / { gsub(/"/, "", $3); locked = $3 }
    file == 1 && /^checksum = / { gsub(/"/, "", $3); checksum[reference(name, locked)] = $3 }
    # The dependency tree.
    file == 2 {
        split($0, part, "|")
        split(part[1], word, " ")
        sub(/^v/, "", word[3])
        above[word[1]] = reference(word[2], word[3])
        if (word[1] > 0) {
            edge = above[word[1] - 1] SUBSEP above[word[1]]
            if (!(edge in known)) {
                known[edge] = 1
                below[above[word[1] - 1]] = below[above[word[1] - 1]] "\n" above[word[1]]
            }
        }
        if (!(above[word[1]] in listed)) { listed[above[word[1]]] = 1; order[++count] = above[word[1]] }
    }
    # The crates.
    file == 3 {
        split($0, part, "|")
        split(part[1], word, " ")
        crate[++crates] = word[1]; number[crates] = word[2]; licence[crates] = part[2]; repository[crates] = part[3]
        gsub(/\//, " OR ", licence[crates])
    }
    END {
        program = reference("pgmarch", version)
        print "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.6\",\n  \"version\": 1,"
        print "  \"metadata\": {\n    \"component\": {\n      \"type\": \"application\",\n      \"bom-ref\": " quoted(program) ","
        print "      \"name\": \"pgmarch\",\n      \"version\": " quoted(version) ",\n      \"purl\": " quoted(program) ","
        print "      \"licenses\": [{ \"expression\": \"Apache-2.0\" }]\n    }\n  },\n  \"components\": ["
        for (i = 1; i <= crates; i++) {
            purl = reference(crate[i], number[i])
            print "    {\n      \"type\": \"library\",\n      \"bom-ref\": " quoted(purl) ",\n      \"name\": " quoted(crate[i]) ","
            print "      \"version\": " quoted(number[i]) ",\n      \"purl\": " quoted(purl) ","
            if (purl in checksum) print "      \"hashes\": [{ \"alg\": \"SHA-256\", \"content\": " quoted(checksum[purl]) " }],"
            if (repository[i] != "") print "      \"externalReferences\": [{ \"type\": \"vcs\", \"url\": " quoted(repository[i]) " }],"
            print "      \"licenses\": [{ \"expression\": " quoted(licence[i]) " }]\n    }" (i < crates ? "," : "")
        }
        print "  ],\n  \"dependencies\": ["
        for (i = 1; i <= count; i++) {
            refs = ""
            lines = split(substr(below[order[i]], 2), ref, "\n")
            for (j = 1; j <= lines; j++) refs = refs (j > 1 ? ", " : "") quoted(ref[j])
            print "    { \"ref\": " quoted(order[i]) ", \"dependsOn\": [" refs "] }" (i < count ? "," : "")
        }
        print "  ]\n}"
    }' Cargo.lock "$work/tree" "$work/crates"
}

# Where a crate leaves the choice and MIT is one of them, MIT is chosen: the others' texts say nothing more then.
texts_of() {
    all=$(cd "$1" && find . -maxdepth 1 -type f | sed 's,^\./,,' | grep -iE '^(LICEN[CS]E|COPYING|NOTICE)' | sort)
    case $2 in
        *MIT*OR* | *OR*MIT* | MIT/* | */MIT)
            if echo "$all" | grep -qiE '^LICEN[CS]E[-_.]MIT'; then
                echo "$all" | grep -viE 'APACHE|BOOST|BSD|ZLIB|COPYING'
                return
            fi ;;
    esac
    echo "$all"
}

licences() {
    cat <<'EOF'
pgmarch is one static binary: what follows is linked into it. Each text stands once, above it whom it is from.
pgmarch itself is under the Apache License 2.0, in LICENSE.
EOF
    mkdir "$work/texts"
    while IFS='|' read -r crate licence _; do
        name=${crate% *} version=${crate#* }
        # pgmarch's own libraries are under its licence.
        if [ -e "crates/$name/Cargo.toml" ]; then
            echo "$crate ($licence), under the Apache License 2.0, in LICENSE" >>"$work/texts/apache.from"
            continue
        fi
        path=$(find "$sources" -mindepth 2 -maxdepth 2 -type d -name "$name-$version" | head -n 1)
        [ -n "$path" ] || die "the source of $crate is not in $sources: cargo fetch gets it"
        files=$(texts_of "$path" "$licence")
        if [ -z "$files" ]; then
            case $licence in
                # The text itself is beside this file already.
                *Apache-2.0*) echo "$crate ($licence), under the Apache License 2.0, in LICENSE" >>"$work/texts/apache.from" ;;
                *) die "$crate ($licence) has no licence file: put its text into scripts/release/licences/" ;;
            esac
        fi
        for file in $files; do
            # The same words in other line ends and margins are the same text.
            hash=$(tr -s '[:space:]' ' ' <"$path/$file" | cksum | tr ' ' '-')
            [ -e "$work/texts/$hash.text" ] || tr -d '\r' <"$path/$file" >"$work/texts/$hash.text"
            echo "$crate ($licence)" >>"$work/texts/$hash.from"
        done
    done <"$work/crates"
    for text in scripts/release/licences/*.txt "$work"/texts/*.text; do
        printf '\n%s\n' "------------------------------------------------------------------------------------------------"
        [ ! -e "${text%.text}.from" ] || sort -u "${text%.text}.from"
        echo
        cat "$text"
    done
    if [ -e "$work/texts/apache.from" ]; then
        printf '\n%s\n' "------------------------------------------------------------------------------------------------"
        cat "$work/texts/apache.from"
    fi
}

sbom >"$folder/sbom.cdx.json"
licences >"$folder/THIRD-PARTY-LICENSES.txt"
echo "$folder: $(wc -l <"$work/crates") crates, licences $(wc -c <"$folder/THIRD-PARTY-LICENSES.txt") bytes, SBOM $(wc -c <"$folder/sbom.cdx.json") bytes"
