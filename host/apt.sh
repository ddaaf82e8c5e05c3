# Read by the scripts in this directory that fetch Debian packages, which set $root to the project's. apt works
# in a directory of its own here: it needs no root, and changes nothing of this machine.
# shellcheck shell=sh

export LC_ALL=C # apt's output is parsed

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# say and die are of the script, whose name its messages begin with.
say() { echo "${0##*/}: $*" >&2; }
die() { say "$*"; exit 1; }

# The mirrors of this machine, whichever format its sources are written in. HOST_MIRROR= names another one.
mirrors() {
    if [ -n "${HOST_MIRROR:-}" ]; then
        echo "$HOST_MIRROR"
    else
        # shellcheck disable=SC2016 # apt fills this in
        APT_CONFIG='' apt-get indextargets --no-release-info --format '$(REPO_URI)' 'Created-By: Packages' |
            grep -v security | sort -u
    fi
}

# The release of Debian that this machine has; sid if it has no name.
this_release() {
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    echo "${codename:-sid}"
}

# apt_errors LOG: apt's own words for what went wrong, on one line.
apt_errors() {
    errors=$(sed -n 's/^E: //p' "$1" | sort -u | head -3 | tr '\n' ' ')
    echo "${errors:-$(tail -1 "$1")}"
}

# apt_open DIR PACKAGE SUITE...: from here on apt-get works inside DIR, with the index of the first SUITE
# that has PACKAGE. An index that is there already stays. The packages are for this machine, or for $architecture.
apt_open() {
    dir=$1 package=$2
    shift 2
    for tool in apt-get apt-cache dpkg-deb; do
        command -v $tool > /dev/null ||
            die "no $tool here, so no packages of Debian: ${advice:-name a host with HOST_PYTHON=/path/to/python3.14}"
    done
    [ -e "$keyring" ] || die "cannot check Debian's signatures: install debian-archive-keyring"
    available=$(mirrors)
    [ -n "$available" ] || die "apt knows no mirror on this machine: name one with HOST_MIRROR="
    mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
    [ -e "$dir/status" ] || : > "$dir/status"
    {
        # Proxies and certificates are the machine's; hooks, pins and default suites are not.
        APT_CONFIG='' apt-config dump | grep '^Acquire::'
        cat <<-CONF
		Dir::Etc::Parts "/dev/null";
		Dir::Etc::Main "/dev/null";
		Dir::Etc::SourceList "$dir/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		Dir::State "$dir";
		Dir::State::status "$dir/status";
		Dir::Cache "$dir/cache";
		Dir::Log "$dir";
		APT::Sandbox::User "root";
		APT::Install-Recommends "false";
		APT::Get::Assume-Yes "true";
		Acquire::AllowInsecureRepositories "false";
		Acquire::Languages "none";
		Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
		Acquire::IndexTargets::deb::CNF::DefaultEnabled "false";
		Acquire::Retries "3";
		Debug::NoLocking "true";
		CONF
        [ -z "${architecture:-}" ] ||
            echo "APT::Architecture \"$architecture\"; APT::Architectures { \"$architecture\"; };"
    } > "$dir/apt.conf"
    export APT_CONFIG="$dir/apt.conf"
    [ ! -e "$dir/suite" ] || return 0
    reasons=
    for suite; do
        for mirror in $available; do
            say "reading the index of Debian $suite"
            echo "deb [signed-by=$keyring] $mirror $suite main" > "$dir/sources.list"
            if ! apt-get -q=2 -o APT::Update::Error-Mode=any update > "$dir/update.log" 2>&1; then
                reasons="$reasons
  $mirror $suite: $(apt_errors "$dir/update.log")"
            elif ! apt-cache show "$package" > /dev/null 2>&1; then
                reasons="$reasons
  $mirror $suite: has no $package"
            else
                echo "$suite" > "$dir/suite"
                return 0
            fi
        done
    done
    die "cannot get $package from a mirror of this machine (HOST_MIRROR= names another one):$reasons"
}

# Set when a package has left the mirror since the index was made. Only another index helps then.
gone=false

# apt_unpack DIR ROOT NAME...: unpacks the packages and what they depend on into ROOT, unless they are there.
apt_unpack() {
    dir=$1 into=$2
    shift 2
    apt-get --print-uris install "$@" > "$dir/plan.log" 2>&1 || die "cannot get $*: $(apt_errors "$dir/plan.log")"
    size=$(sed -n 's/^Need to get \(.*\) of archives.*/\1/p' "$dir/plan.log")
    say "downloading ${size:-nothing} for $*"
    apt_download "$dir" "$*" --download-only install "$@"
    $gone || apt_unpack_files "$dir" "$into"
}

# apt_unpack_alone DIR ROOT NAME...: the same without what they depend on.
apt_unpack_alone() {
    dir=$1 into=$2
    shift 2
    say "downloading $*"
    apt_download "$dir" "$*" download "$@"
    ! $gone || return 0
    # apt must not miss what they depend on.
    cp "$dir/status" "$dir/status.before"
    apt_unpack_files "$dir" "$into"
    mv "$dir/status.before" "$dir/status"
}

# apt_download DIR WHAT ARGUMENT...
apt_download() {
    archives=$1/cache/archives log=$1/download.log what=$2
    shift 2
    if ! (cd "$archives" && apt-get -q=2 "$@") > "$log" 2>&1; then
        grep -q '^E: Failed to fetch .* 404 ' "$log" || die "cannot download $what: $(apt_errors "$log")"
        gone=true
    fi
}

# apt_unpack_files DIR ROOT: unpacks what was downloaded, and then notes for apt that all of it is installed: a part
# would lack what it depends on.
apt_unpack_files() {
    cp "$1/status" "$1/status.new"
    for deb in "$1"/cache/archives/*.deb; do
        [ -e "$deb" ] || continue
        name=${deb##*/}
        say "unpacking ${name%%_*}"
        # tar names each file that it could not write; the reason is what most lines end with.
        dpkg-deb -x "$deb" "$2" 2> "$1/unpack.log" || die "cannot unpack $name:" \
            "$(sed -n 's/^tar: .*: //p' "$1/unpack.log" | sort | uniq -c | sort -rn | sed 's/^ *[0-9]* //;q')"
        if ! grep -qx "Package: ${name%%_*}" "$1/status"; then
            dpkg-deb --field "$deb" | sed '1a Status: install ok installed' >> "$1/status.new"
            echo >> "$1/status.new"
        fi
    done
    mv "$1/status.new" "$1/status"
    rm -f "$1"/cache/archives/*.deb
}
