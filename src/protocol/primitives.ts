/**
 * Cryptography for the codecs. The protocol room is pure, so these functions are handed in:
 * net/crypto.ts in the product, equivalent ones in tests.
 */
export interface Primitives {
  /** HMAC-SHA-256 over the concatenated parts; 32 bytes. */
  hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array
  /** HKDF-SHA-256 (RFC 5869), extract and expand. */
  hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array, bytes: number): Uint8Array
  /** Compares in constant time; false when the lengths differ. */
  equal(left: Uint8Array, right: Uint8Array): boolean
  /**
   * True if this Ed25519 key (32 bytes) signed the message; false also for an invalid key or
   * signature. Fastest when the same array is passed again.
   */
  verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean
}

/** An Ed25519 key (RFC 8032) that signs and keeps its secret half private. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}
