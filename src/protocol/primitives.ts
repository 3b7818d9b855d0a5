/**
 * What the codecs need of cryptography. The protocol room is pure, so these functions are handed
 * in: by net/crypto.ts in the product, by anything equal to it in tests.
 */
export interface Primitives {
  /** HMAC-SHA-256 over the parts laid end to end; 32 bytes. */
  hmac(key: Uint8Array, ...parts: Uint8Array[]): Uint8Array
  /** HKDF-SHA-256 (RFC 5869), extract and expand. */
  hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array, bytes: number): Uint8Array
  /** Compares in constant time; false when the lengths differ. */
  equal(left: Uint8Array, right: Uint8Array): boolean
  /**
   * Whether the owner of this Ed25519 key (32 bytes) has signed the message. False also for a key
   * or a signature that is none. Cheapest when the same array is handed in again.
   */
  verify(publicKey: Uint8Array, signature: Uint8Array, message: Uint8Array): boolean
}

/** An Ed25519 key (RFC 8032) that signs; the secret half stays inside. */
export interface Signer {
  /** 32 bytes. */
  readonly publicKey: Uint8Array
  /** 64 bytes. */
  sign(message: Uint8Array): Uint8Array
}
