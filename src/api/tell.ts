/**
 * Calls listeners. An error of a listener becomes an uncaught exception of its program; it does not
 * affect the push or the node.
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
