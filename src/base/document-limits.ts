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
  /** Rows of one answer of a master, and their bytes together. */
  masterRows: 1_000,
  masterRowsBytes: 128 * KIB,
  /** Names that are told of a set or a change; more are only counted. */
  masterNames: 100,
  masterNamesChars: 8 * KIB,
  /** UTF-16 units of a part of sets that are given to a master: at most six times as many bytes. */
  setsPartChars: 64 * KIB,
  /** Texts of sets that are under way to a master, and milliseconds until one is forgotten. */
  setUploads: 4,
  setUploadMs: 60_000,
  /** Milliseconds after which a disk that took nothing is tried again. */
  stateRetryMs: 30_000,
  /** Entries of one line of a snapshot. */
  stateLineEntries: 256,
} as const
