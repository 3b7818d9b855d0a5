/**
 * Calls listeners. The error of a listener is uncaught, for its program to see; it harms neither
 * the push nor the node that called.
 */
export function tell(emit: () => void): void {
  try {
    emit()
  } catch (error) {
    queueMicrotask(() => {
      throw error
    })
  }
}
