/** The system's words for an error number. */
import { getSystemErrorName } from 'node:util'

/** `ENOSPC` for 28; `errno 999` for a number the system does not know. */
export function getSystemErrorMessage(errno: number): string {
  try {
    return getSystemErrorName(-errno)
  } catch {
    return `errno ${errno}`
  }
}
