/**
 * What each sign of a return weighs (return-signs.ts), the last number for none: made by `node bench/policy/fit-returns.ts DIR`,
 * never edited. DIR held the open part of four families of public traces; docs/planner.md names the sources and their licences.
 */
export const RETURN_WEIGHTS: readonly number[] = [
  0.15773, 0.13522, 0.021734, 0.027431, 0.11129, 0.26751, 0.11335, -0.082093, -0.10812, -0.11258, 0.16611, -0.0091135,
  -0.046985, 0.07293, -0.00092251, 0.010725, 0.029798, 0.070658, -0.0037402, -0.063703, -0.17664, -0.018104, -0.0038316,
  0.030771, 0.077218, -0.099781, 0.019623, 0.15821, -0.060205, 0.2305, 0.35478, -0.4691, -0.012474, 0.07991, 0.018958,
  0.005259, -0.99613,
]
