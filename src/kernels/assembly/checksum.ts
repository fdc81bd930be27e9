/** Checksum of parameters: the body of MurmurHash3 (x86, 32 bits; Austin Appleby, public domain) over 32-bit words. */

@unmanaged
class Checksum {
  offset: usize;
  bytes: usize;
  target: usize;
}

/** Block: {@link Checksum}. All NaNs count as the same value, because CPUs differ in the NaN they produce. */
export function checksum(block: usize): void {
  const fields = changetype<Checksum>(block);
  const end = fields.offset + fields.bytes;
  let hash = load<u32>(fields.target);
  for (let at = fields.offset; at < end; at += 4) {
    let word = load<u32>(at);
    if ((word & 0x7fffffff) > 0x7f800000) word = 0x7fc00000;
    hash ^= rotl<u32>(word * 0xcc9e2d51, 15) * 0x1b873593;
    hash = rotl<u32>(hash, 13) * 5 + 0xe6546b64;
  }
  store<u32>(fields.target, hash);
}
