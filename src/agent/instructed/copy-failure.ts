/** How a copy by order ended that did not bring its part. */
import { FrError, type FrErrorCode } from '../../base/errors.js'

/** `isHere`: at this node, and neither at the source nor on the way to it. */
export class CopyFailure extends FrError {
  readonly isHere: boolean

  constructor(code: FrErrorCode, text: string, isHere: boolean) {
    super(code, text)
    this.isHere = isHere
  }
}
