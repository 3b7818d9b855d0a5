/** Bounds of documents that people write for a master: a part of limits.ts. */

const KIB = 1024
const MIB = 1024 * KIB

export const documentLimits = {
  /** Bytes of one file, and of all that are read together: 1 MiB takes a second or two. */
  documentBytes: 2 * MIB,
  documentsBytes: 16 * MIB,
  /** Files of a directory, and documents of a file. */
  documentFiles: 1_024,
  documentsPerFile: 256,
  /** Brackets, or blocks in one line, within each other, and columns that a line is indented. */
  documentDepth: 32,
  documentIndent: 128,
  /** Fields of one value; what is read has fewer. */
  documentFields: 64,
  /** Aliases that are followed in one document. */
  documentAliases: 100,
  /** Faults that are told of a file; more are only counted. */
  documentFaults: 20,
  /** UTF-16 units of a name of a set, a site or a link, and of what is shown of a wrong text. */
  documentNameChars: 128,
  documentShownChars: 64,
  /** Sets of one master, files of all together, and nodes that one names. */
  masterSets: 1_024,
  setFiles: 200_000,
  setNodes: 1_024,
  /** A price of 10^9 bytes beyond which it is a typing error. */
  pricePerGbMax: 1_000_000,
  /** What a master keeps: bytes of one entry, and of its journal before it is written anew. */
  stateEntryBytes: 64 * MIB,
  stateJournalBytes: 8 * MIB,
  /** Entries of one line of a snapshot. */
  stateLineEntries: 256,
} as const
