/**
 * What each sign of a return weighs (return-signs.ts), the last number for none: made by `node bench/policy/fit-returns.ts DIR`,
 * never edited. DIR held the open part of four families of public traces; docs/planner.md names the sources and their licences.
 */
export const RETURN_WEIGHTS: readonly number[] = [
  0.15756, 0.13431, 0.023512, 0.026131, 0.11089, 0.26686, 0.11036, -0.083474, -0.10862, -0.10928, 0.16558, -0.0095224,
  -0.04695, 0.07155, -0.00097756, 0.010628, 0.031453, 0.07078, -0.003684, -0.060457, -0.17566, -0.019486, -0.0041766,
  0.0347, 0.073292, -0.086157, 0.017963, 0.16017, -0.063012, 0.19813, 0.33443, -0.45816, -0.017473, 0.085787, 0.016718,
  0.0074042, 0.0037591, 0.0006307, 0.014545, -0.024871, 0.018681, -1.0227,
]
