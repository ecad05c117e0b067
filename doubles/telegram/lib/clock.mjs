// The service's clock, which may be wrong by as much as is ordered.

export const clock = { skewMs: 0 };

/** Milliseconds since 1970. */
export const now = () => Date.now() + clock.skewMs;
export const seconds = () => Math.floor(now() / 1000);
