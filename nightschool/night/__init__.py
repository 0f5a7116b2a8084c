"""The night: how sessions that were liked become a version.

queue     what there is to learn, and the dream that is to be resumed or started
dream     the story of one dream, in eight stages
memory    what earlier lessons are defended with, and what versions write down of a lesson
launch    dreaming in a process of its own, beside a server
schedule  when a server dreams by itself
"""
