/**
 * What the codecs need of cryptography and hashing. The protocol room is pure, so these functions
 * are handed in: by net/crypto.ts in the product, by anything equal to it in tests.
 */
export interface Primitives {
  /** HMAC-SHA-256 over the parts laid end to end; 32 bytes. */
  hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array
  /** HKDF-SHA-256 (RFC 5869), extract and expand. */
  hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array, bytes: number): Uint8Array
  /** Compares in constant time; false when the lengths differ. */
  equal(left: Uint8Array, right: Uint8Array): boolean
}

/** A running XXH64 with seed 0; `create64()` of xxhash-wasm is one. */
export interface RunningXxh64 {
  update(bytes: Uint8Array): unknown
  digest(): bigint
}
