// Score an image with a graph that was exported --with-preprocessing: print its score and verdict.
//
//     dotnet new console --name Score && cd Score
//     dotnet add package Microsoft.ML.OnnxRuntime
//     dotnet add package SkiaSharp
//     dotnet run -- GRAPH.onnx IMAGE.jpg
//
// SkiaSharp decodes the picture; any decoder or camera that gives rows of red, green and blue bytes
// can take its place. On Linux, add the package SkiaSharp.NativeAssets.Linux, too.

using System.Globalization;
using Microsoft.ML.OnnxRuntime;
using SkiaSharp;

if (args.Length != 2)
{
    Console.Error.WriteLine("usage: Score GRAPH.onnx IMAGE");
    return 2;
}

using SKBitmap? picture = SKBitmap.Decode(args[1]);
if (picture is null)
{
    Console.Error.WriteLine($"{args[1]} is not an image that can be read.");
    return 1;
}
SKColor[] colours = picture.Pixels; // row by row
var pixels = new byte[3 * colours.Length];
for (int i = 0; i < colours.Length; i++)
{
    pixels[3 * i] = colours[i].Red;
    pixels[3 * i + 1] = colours[i].Green;
    pixels[3 * i + 2] = colours[i].Blue;
}

// Load the graph once and keep the session; it may be run from several threads.
using var session = new InferenceSession(args[0]);
string text = session.ModelMetadata.CustomMetadataMap["moeclip.threshold"];
double threshold = double.Parse(text, CultureInfo.InvariantCulture);

long[] shape = { 1, picture.Height, picture.Width, 3 };
using OrtValue input = OrtValue.CreateTensorValueFromMemory(pixels, shape);
using var options = new RunOptions();
using var outputs = session.Run(options, new[] { "images" }, new[] { input }, new[] { "score" });

float score = outputs[0].GetTensorDataAsSpan<float>()[0];
string shown = score.ToString("F4", CultureInfo.InvariantCulture);
Console.WriteLine($"{shown} {(score >= threshold ? "anomalous" : "normal")}");
return 0;
