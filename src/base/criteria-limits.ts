/** Bounds of criteria, of the attributes that they are about, and of rights. */
export const criteriaLimits = {
  /** UTF-16 units of criteria as text, their terms, and how deep terms are nested. */
  criteriaChars: 1_024,
  criteriaTerms: 64,
  criteriaDepth: 16,
  /** Attributes of one node or content, UTF-16 units of a key, and of a value. */
  attributes: 32,
  attributeKeyChars: 63,
  attributeValueChars: 255,
  /** Bytes of all attributes of one node as JSON: they travel in a greeting. */
  attributesBytes: 1_024,
  /** Rights and attributes that a list gives one peer. */
  rightsPerPeer: 64,
  /** Requests of which the status tells, and characters of what one was about. */
  auditLines: 64,
  auditChars: 200,
} as const
