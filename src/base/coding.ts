/** How content is coded on its way, and the frames that it is cut into. */
import { limits } from './limits.js'

/** zstd: each frame by itself. patch: what differs from another content, the base. */
export const codings = ['zstd', 'patch'] as const
export type Coding = (typeof codings)[number]

/** Of native/core/coding/frames.h, and on the wire; 0: as it is. */
export const codingNumber: Readonly<Record<Coding, number>> = { zstd: 1, patch: 2 }

/** Bytes of the numbers that a patch looks at. */
export const patchWidths = [1, 2, 4, 8] as const

/** Bytes of a file that each frame stands for but the last, which may be shorter. */
export function frameBytesFor(fileBytes: number): number {
  let frame: number = limits.codedFrameBytesMin
  while (frame < limits.codedFrameBytesMax && frame * 65_536 < fileBytes) frame *= 2
  return frame
}

/** More can be sent only as it is. */
export function isCodable(fileBytes: number): boolean {
  const frames = Math.ceil(fileBytes / limits.codedFrameBytesMax)
  return fileBytes >= limits.codedFileBytesMin && frames <= limits.codedFrames
}
