/** The contents of a simulated run as they are in truth. */
import type { WanContent } from './scenario.js'

export interface Born {
  readonly spec: WanContent
  /** In which order they came to be. */
  readonly order: number
  size: number
  isGrowing: boolean
}

export interface SaidOfContent {
  readonly name: string
  readonly contentId: string
  readonly digest: string | null
  readonly size: number
  readonly isGrowing: boolean
}

export class WanContents {
  readonly #born = new Map<string, Born>()

  get all(): IterableIterator<Born> {
    return this.#born.values()
  }

  bear(spec: WanContent): Born {
    const first = spec.growth[0]
    const born = {
      ...{ spec, order: this.#born.size },
      ...{ size: first?.size ?? spec.size, isGrowing: spec.growth.length > 0 },
    }
    this.#born.set(spec.contentId, born)
    return born
  }

  /** Undefined: it is not made yet. */
  find(contentId: string): Born | undefined {
    return this.#born.get(contentId)
  }

  of(contentId: string): Born {
    const born = this.#born.get(contentId)
    if (born === undefined) throw new Error(`no content ${contentId} was made`)
    return born
  }

  said(contentId: string): SaidOfContent {
    const { spec, size, isGrowing } = this.of(contentId)
    const digest = isGrowing ? null : digestOf(contentId)
    return { name: spec.name, contentId, digest, size, isGrowing }
  }
}

export function digestOf(contentId: string): string {
  return `digest of ${contentId}`
}
