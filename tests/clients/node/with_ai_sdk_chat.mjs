// The AI SDK with OpenAI's chat completions.
import { createOpenAI } from "@ai-sdk/openai";
import { SCRIPTED_V1, V1 } from "./cells.mjs";
import { runWith } from "./ai_sdk.mjs";

const at = (baseURL) => createOpenAI({ baseURL, apiKey: "none" }).chat("live");
await runWith(at(V1), at(SCRIPTED_V1));
