# shellcheck shell=bash
# What takes long is kept outside the clone, each thing under a hash of what it was made from, for all clones.

cache=${TOKENCACHE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/tokencache-operator}

# used PATH: it is of use, and stays for another month.
used() { touch --no-create "$1"; }

# Every change of the sources makes new ones, and nobody asks for the old ones again.
prune_cache() {
  [ -d "$cache" ] || return 0
  find "$cache" -mindepth 1 -maxdepth 1 -mtime +30 \
    \( -name 'cluster-*' -o -name 'target-*' -o -name 'image-*' -o -name 'rootfs-*' -o -name 'servers-*' \) \
    -exec rm -rf --one-file-system {} +
  # What a clone built that is gone serves nobody but the next new one.
  local folder
  for folder in "$cache"/target-*/; do
    if [ -f "$folder/clone" ] && [ ! -d "$(<"$folder/clone")" ] && [ -n "$(find "$folder" -maxdepth 0 -mtime +3)" ]; then
      rm -rf --one-file-system "$folder"
    fi
  done
}
