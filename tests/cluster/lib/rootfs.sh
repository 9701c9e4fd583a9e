# shellcheck shell=bash
# Root file systems made from Debian's packages, cached under a hash of what they are made from.

# debian_rootfs SUITE PACKAGE...: prints the folder.
debian_rootfs() {
  local suite=$1 mirror folder
  shift
  folder=$cache/rootfs-$suite-$(hash_of "$suite" "$(uname -m)" "$*" "$(declare -f make_rootfs)")
  (
    only_one "$(basename "$folder")"
    [ ! -d "$folder" ] || exit 0
    mirror=$(debian_mirror)
    step "making a root file system of Debian $suite with $*" "60 s"
    rm -rf --one-file-system "$folder.partial"
    if ! make_rootfs "$suite" "$folder.partial" "$mirror" "$@" >"$folder.log" 2>&1; then
      tail -n 20 "$folder.log" >&2
      fail "debootstrap failed (all it said: $folder.log)"
    fi
    mv "$folder.partial" "$folder"
    rm -f "$folder.log"
  ) >&2
  used "$folder"
  echo "$folder"
}

# In a mount namespace of its own: whatever ends it, no mount stays behind.
make_rootfs() {
  local suite=$1 folder=$2 mirror=$3 packages
  shift 3
  packages=$(IFS=, && echo "$*")
  unshare --mount --propagation private \
    debootstrap --variant=minbase --include="$packages" "$suite" "$folder" "$mirror" &&
    (cd "$folder" && rm -rf var/cache/apt/* var/lib/apt/lists/* var/log/* usr/share/{doc,man,locale,info}/* dev/* proc/* sys/*)
}

# The one that this machine's own packages come from.
debian_mirror() {
  local mirror=${DEBIAN_MIRROR:-}
  if [ -z "$mirror" ]; then
    # shellcheck disable=SC2016 # apt-get fills these in
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(LABEL) $(COMPONENT)' 'Created-By: Packages' |
      awk '$2 == "Debian" && $3 == "Debian" && $4 == "main" { print $1; exit }')
  fi
  [ -n "$mirror" ] || fail "apt is not configured with a mirror of Debian: name one with DEBIAN_MIRROR=http://..."
  echo "$mirror"
}
