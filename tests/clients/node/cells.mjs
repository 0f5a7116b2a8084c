// What every script shares: the servers' addresses, the question for a tool, and running cells.
export const V1 = `${process.env.NIGHTSCHOOL_URL}/v1`; // with the embedded model
export const SCRIPTED_V1 = `${process.env.SCRIPTED_URL}/v1`; // calls a tool when the weather is asked for
export const WEATHER = "What is the weather in Paris?";
export const DEGREES = "21 degrees"; // the tool says it, and so does the answer
export const getWeather = ({ city }) => `${DEGREES} in ${city}`;

const REFUSED = /\b4[0-2]\d\b|BadRequest|NotFound|invalid_request_error|Bad Request|Not Found/;
const LONGEST = 300; // characters of a note

// Longest answer in tokens, which are characters where a script answers.
export const limit = (url) => (url === SCRIPTED_V1 ? 400 : 200);

export function check(holds, about) {
  if (!holds) throw new Error(`unexpected: ${JSON.stringify(about)}`);
}

// Check what is answered to `/good`.
export const liked = (reply) => check(String(reply).includes("will be learned"), reply);

// Run each cell and print how it went. A cell throws whatever goes wrong.
export async function run(cells) {
  for (const [cell, go] of Object.entries(cells)) {
    let [outcome, note] = ["works", ""];
    try {
      await go();
    } catch (error) {
      note = describe(error);
      outcome = REFUSED.test(note) ? "refused" : "broken";
    }
    console.log("CELL", JSON.stringify({ cell, outcome, note: note.slice(0, LONGEST) }));
  }
  process.exit(0);
}

// An error with what the server said, which some clients keep beside the message.
function describe(error) {
  const said = error?.responseBody ?? error?.lastError?.responseBody ?? "";
  const status = error?.statusCode ?? error?.lastError?.statusCode ?? "";
  return `${error?.name ?? "Error"}: ${error?.message ?? error} ${status} ${said}`.replace(/\s+/g, " ").trim();
}
