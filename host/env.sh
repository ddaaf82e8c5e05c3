# Read by the scripts in this directory, which set $root to the project's.
# shellcheck shell=sh

export LC_ALL=C # comm(1) and sort(1) have to agree
# Stands before the names of gcc and binutils. host.env has it if the host is for another machine.
export CROSS_COMPILE=

die() { echo "${0##*/}: $*" >&2; exit 1; }

# read_host_env BUILD: the keys that host/fetch documents, as variables.
read_host_env() {
    [ -e "$1/host.env" ] || die "$1/host.env is missing: make host"
    while IFS= read -r line; do
        export "${line?}"
    done < "$1/host.env"
}

# contains LIST WORD
contains() {
    case " $(echo "$1" | tr '\n' ' ') " in *" $2 "*) return 0 ;; *) return 1 ;; esac
}

# What links a program or library with a fetched host's libc and libraries, since this machine's may be older. DT_RPATH
# rather than DT_RUNPATH: libraries that extension modules load have to come from there too. Only the linker is to know
# the sysroot: the headers are this machine's.
sysroot_flags() {
    [ -n "$REVAL_HOST_SYSROOT" ] || return 0
    echo "-Wl,--sysroot=$REVAL_HOST_SYSROOT -B$REVAL_HOST_LIBDIR -L$REVAL_HOST_LIBDIR" \
        "-Wl,--disable-new-dtags -Wl,-rpath,$REVAL_HOST_LIBDIR -Wl,--dynamic-linker=$REVAL_HOST_LOADER"
}

# core_features DISPATCH: cargo's features of an extension module for the host. The compiler needs tail calls and a release
# host (src/lib.rs). setup.py decides for wheels.
core_features() {
    if [ "$1" = tail ] && [ "$REVAL_HOST_DEBUG" = 0 ] && [ "${REVAL_COMPILER:-}" != no ]; then
        echo attach,jit
    else
        echo attach
    fi
}

# The objects that are replaced. A library without tier 2 leaves those of the optimizer to the host.
replaced_objects() {
    if [ -n "${REPLACED:-}" ]; then
        echo "$REPLACED"
    elif [ "${REVAL_EXPERIMENTAL_JIT:-no}" = no ] && { [ "${REVAL_EXPERIMENTAL_JIT:-}" = no ] ||
        [ "${REVAL_HOST_TIER2:-0}" = 0 ]; }; then
        sed '/^optimizer/d' "$root/host/replaced.txt"
    else
        cat "$root/host/replaced.txt"
    fi
}

# replaced_with OBJECT...: the objects that are replaced together with these, themselves included: those on one line.
replaced_with() {
    for object in "$@"; do
        awk -v object="$object" '{ for (i = 1; i <= NF; i++) if ($i == object) { print; found = 1 } }
                                 END { if (!found) print object }' "$root/host/replaced.txt"
    done | tr ' ' '\n' | sort -u
}

# What is replaced of an object that stays, in free-threaded hosts: an object and a function on each line.
replaced_functions() {
    [ "${REVAL_HOST_GIL_DISABLED:-0}" != 1 ] || cat "$root/host/replaced-functions.txt"
}

# functions_of OBJECT: those of them that it has.
functions_of() { replaced_functions | awk -v object="$1" '$1 == object { print $2 }'; }

# Prints the HACL* functions that the host's archive calls without having them.
host_lacks_hacl() {
    "${CROSS_COMPILE}nm" -A "$REVAL_HOST_ARCHIVE" 2>/dev/null |
        awk '$NF ~ /^_Py_LibHacl_/ { if ($(NF-1) == "U") used[$NF] = 1; else have[$NF] = 1 }
             END { for (name in used) if (!(name in have)) print name }' | sort
}

# external_symbols FILE...: what other objects of the link can refer to, hidden ones included.
external_symbols() {
    readelf -sW "$@" 2>/dev/null |
        awk '($5 == "GLOBAL" || $5 == "WEAK") && $7 != "UND" { print $8 }' | sort -u
}

# exported_symbols FILE...: those of them that are visible outside a shared library.
exported_symbols() {
    readelf -sW "$@" 2>/dev/null |
        awk '($5 == "GLOBAL" || $5 == "WEAK") && $6 == "DEFAULT" && $7 != "UND" { print $8 }' | sort -u
}
