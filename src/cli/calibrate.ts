// allstop calibrate: a timing model beside what was published about its machine.

// First, since the order in which guest modules load is the order of routines in an image.
import "../guest/kernel.ts";
import { calibrate } from "../calibrate/calibration.ts";
import { calibrationLines } from "../calibrate/text.ts";
import { ProgressBar, palette, print } from "./terminal.ts";

export interface CalibrateArguments {
  readonly json?: true;
}

/** @returns the exit code: 0, whatever the errors are */
export async function showCalibration(name: string, options: CalibrateArguments): Promise<number> {
  const bar = new ProgressBar(`measuring ${name}`);
  const calibration = await calibrate(name, { onProgress: bar.update }).finally(() => {
    bar.end();
  });
  if (options.json) print(JSON.stringify(calibration, null, 2));
  else for (const line of calibrationLines(calibration, palette())) print(line);
  return 0;
}
