# shellcheck shell=bash
# Images made without a registry, cached as OCI archives under a hash of what they are made from.

pause_image=localhost/tokencache-cluster/pause:1
coredns_image=localhost/tokencache-cluster/coredns:1
# The name that a TokenCache asks for when it names none.
redis_image=docker.io/library/redis:8.2.9
redis_suite=trixie
redis_packages=(redis-server redis-tools)

pause_recipe='FROM scratch
COPY pause /pause
USER 65535:65535
ENTRYPOINT ["/pause"]'

coredns_recipe='FROM scratch
COPY cluster /cluster
USER 65532:65532
ENTRYPOINT ["/cluster", "coredns"]'

# User, folder and command of the image whose name it has.
redis_recipe='FROM scratch
ADD rootfs.tar /
ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
WORKDIR /data
USER 999:999
EXPOSE 6379
CMD ["redis-server"]'

# Sets image_archives.
make_images() {
  local binary=$1 rootfs
  image_archives=()
  make_image "$pause_image" "$pause_recipe" "$(basename "$(dirname "$binary")")" copy_files "$(dirname "$binary")/pause"
  make_image "$coredns_image" "$coredns_recipe" "$(basename "$(dirname "$binary")")" copy_files "$binary"
  rootfs=$(debian_rootfs "$redis_suite" "${redis_packages[@]}")
  make_image "$redis_image" "$redis_recipe" "$(basename "$rootfs")$(declare -f pack_rootfs)" pack_rootfs "$rootfs"
}

copy_files() {
  local context=$1
  shift
  cp "$@" "$context/"
}

pack_rootfs() {
  local context=$1 rootfs=$2 data
  data=$(mktemp -d "$context/data.XXXXXX")
  mkdir "$data/data"
  chown 999:999 "$data/data"
  # Ids in the archive, as the image's users are not the host's.
  tar --numeric-owner -C "$rootfs" -cf "$context/rootfs.tar" .
  tar --numeric-owner -C "$data" -rf "$context/rootfs.tar" ./data
}

# make_image NAME RECIPE VERSION FILL...: FILL puts files into the folder that it gets first.
make_image() {
  local name=$1 recipe=$2 version=$3 short archive
  shift 3
  short=${name##*/}
  archive=$cache/image-${short%%:*}-$(hash_of "$name" "$recipe" "$version").tar
  image_archives+=("$archive")
  if [ -f "$archive" ]; then
    used "$archive"
    return
  fi
  step "making the image $name" "10 s"
  (
    only_one "$(basename "$archive")"
    [ ! -f "$archive" ] || exit 0
    work=$archive.work
    rm -rf "$work"
    mkdir -p "$work/context"
    trap 'rm -rf "$work"' EXIT
    "${@:1:1}" "$work/context" "${@:2}"
    printf '%s\n' "$recipe" >"$work/recipe"
    store=(--storage-driver vfs --root "$work/storage" --runroot "$work/run")
    {
      buildah "${store[@]}" bud --isolation chroot --tag "$name" --file "$work/recipe" "$work/context" &&
        buildah "${store[@]}" push --disable-compression "$name" "oci-archive:$archive.partial:$name"
    } >"$work/log" 2>&1 || {
      cat "$work/log" >&2
      fail "buildah could not make $name"
    }
    mv "$archive.partial" "$archive"
  )
}
