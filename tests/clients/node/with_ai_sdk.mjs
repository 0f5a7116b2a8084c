// The AI SDK's default for OpenAI: the Responses API. All its cells are that column's, too.
import { createOpenAI } from "@ai-sdk/openai";
import { SCRIPTED_V1, V1 } from "./cells.mjs";
import { runWith } from "./ai_sdk.mjs";

const at = (baseURL) => createOpenAI({ baseURL, apiKey: "none" })("live");
await runWith(at(V1), at(SCRIPTED_V1));
